import { toHex } from '@conclave/core/codec'
import { describe, expect, it } from 'vitest'
import { damage } from './mutation/damage.ts'
import type { Decoder } from './mutation/decoder.ts'
import { faultyDecoders } from './mutation/faultyDecoders.ts'
import { type FailureKind, hammer } from './mutation/hammer.ts'
import { layoutOf } from './mutation/layout.ts'
import { Random } from './mutation/random.ts'

const seed = 1
const found: Readonly<Record<string, FailureKind>> = {
  'that ignores what follows': 'not-strict',
  'that takes a tag for another': 'not-strict',
  'that reads what cannot be written': 'not-strict',
  'that throws what is no CodecError': 'foreign-error',
  'that blames its caller for its input': 'foreign-error',
  'that never ends': 'endless',
  'that reserves what a length claims': 'over-allocation',
  'that keeps copies of its input without end': 'over-allocation',
}

describe('hammering finds a decoder', () => {
  it('of every kind of fault that is planted', () => {
    const sound = 'that has no fault'
    expect(Object.keys(faultyDecoders).toSorted()).toEqual(
      [sound, ...Object.keys(found)].toSorted(),
    )
  })

  it.each(Object.entries(found))('%s: %s', async (name, kind) => {
    const patienceMs = kind === 'endless' ? 3_000 : 20_000
    const { failure } = await hammer({ name, seed, runs: 20_000, patienceMs })
    expect(failure?.kind).toBe(kind)
    // Seed and run are enough to have the input again.
    const { codec, samples } = faultyDecoders[name] as Decoder
    const made = samples().map((bytes) => ({ bytes, layout: layoutOf(codec, bytes) }))
    expect(toHex(damage(new Random(seed, failure?.run ?? -1), made))).toBe(failure?.input)
  })

  it('without fault in nothing, by damage that reaches every code', async () => {
    const runs = 20_000
    const { figures, failure } = await hammer({
      name: 'that has no fault',
      seed,
      runs,
      patienceMs: 20_000,
    })
    expect(failure).toBeUndefined()
    const { accepted, refused } = figures
    expect(Object.values(refused).reduce((sum, count) => sum + count, accepted)).toBe(runs)
    const codes = ['codec-bad-length', 'codec-trailing-bytes', 'codec-truncated']
    expect(Object.keys(refused).toSorted()).toEqual(codes)
  })

  it('rejects where there is none of that name', async () => {
    const nothing = { name: 'no such decoder', seed, runs: 1, patienceMs: 20_000 }
    await expect(hammer(nothing)).rejects.toThrow(/no decoder no such decoder/)
  })
})
