import { type Codec, decode, encode, toHex } from '@conclave/core/codec'
import * as wire from '@conclave/core/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { report, runsOr, seed } from '../campaign.ts'
import * as arbitrary from './arbitraries.ts'
import { structs } from './structs.ts'

const runs = runsOr(300)

/** The name of every codec that the wire formats export. */
function declaredCodecs(): string[] {
  const exported: readonly (readonly [string, unknown])[] = Object.entries(wire)
  return exported
    .filter(([, value]) => typeof value === 'object' && value !== null && 'read' in value)
    .map(([name]) => name)
}

describe('any value of a struct', () => {
  it.for(structs)('$name is the same after encoding and decoding', ({ codec, values }, context) => {
    fc.assert(
      fc.property(values, (value) => {
        const encoded = encode(codec, value)
        const decoded = decode(codec, encoded)
        expect(decoded).toEqual(value)
        expect(toHex(encode(codec, decoded))).toBe(toHex(encoded))
        // A copy: a value that was read may be written by the bytes that it was read from.
        expect(toHex(encode(codec, structuredClone(decoded)))).toBe(toHex(encoded))
      }),
      { numRuns: runs, seed },
    )
    report(context, { runs })
  })

  it('is one of every struct that is declared', () => {
    const covered = new Set(structs.map(({ codec }) => codec))
    const declared = declaredCodecs()
    expect(declared.length).toBeGreaterThan(50)
    const codecs = wire as unknown as Readonly<Record<string, Codec<unknown>>>
    expect(declared.filter((name) => !covered.has(codecs[name] as Codec<unknown>))).toEqual([])
  })
})

describe('FramedContentTBS (RFC 9420 §6.1)', () => {
  it('covers the GroupContext for members and external joiners, and for nobody else', () => {
    fc.assert(
      fc.property(
        arbitrary.authenticatedContent,
        arbitrary.groupContext,
        ({ wireFormat, content }, context) => {
          const tbs = encode(wire.FramedContentTbs, { version: 1, wireFormat, content, context })
          const { senderType } = content.sender
          const covered = senderType === 1 || senderType === 4
          const head = encode(wire.AuthenticatedContent, {
            wireFormat,
            content,
            auth: { signature: new Uint8Array(), confirmationTag: new Uint8Array() },
          })
          // AuthenticatedContent without its two auth fields, which are a zero byte each here.
          const end = content.contentType === 3 ? -2 : -1
          const tail = covered ? toHex(encode(wire.GroupContext, context)) : ''
          expect(toHex(tbs)).toBe(`0001${toHex(head.subarray(0, end))}${tail}`)
        },
      ),
      { numRuns: 300 },
    )
  })
})
