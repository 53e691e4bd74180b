import type { Bytes } from '@conclave/core/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameMemory } from '../../src/sframe/frameMemory.ts'

const lengths = fc.array(fc.oneof(fc.nat(64), fc.nat(20_000)), { maxLength: 600 })

describe('the memory of frames', () => {
  it('is cut into parts as long as asked for, empty, of which none touches another', () => {
    fc.assert(
      fc.property(lengths, (wanted) => {
        const memory = new FrameMemory()
        const parts: Bytes[] = []
        for (const [i, length] of wanted.entries()) {
          const part = memory.take(length)
          expect(part.length).toBe(length)
          expect(part.every((byte) => byte === 0)).toBe(true)
          part.fill(1 + (i % 255))
          parts.push(part)
        }
        for (const [i, part] of parts.entries()) {
          expect(part.every((byte) => byte === 1 + (i % 255))).toBe(true)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('has few buffers for many parts', () => {
    const memory = new FrameMemory()
    const buffers = new Set(Array.from({ length: 1000 }, () => memory.take(16).buffer))
    expect(buffers.size).toBe(2)
  })
})
