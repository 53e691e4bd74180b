import { type Codec, decode, encode, toHex } from '@conclave/core/codec'
import * as wire from '@conclave/core/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as arbitrary from './arbitraries.ts'

interface Struct {
  readonly name: string
  readonly codec: Codec<unknown>
  readonly values: fc.Arbitrary<unknown>
}

function struct<T>(name: string, codec: Codec<T>, values: fc.Arbitrary<T>): Struct {
  return { name, codec, values }
}

describe('any value of a struct', () => {
  it.each([
    struct('MLSMessage', wire.MlsMessage, arbitrary.mlsMessage),
    struct('PublicMessage', wire.PublicMessage, arbitrary.publicMessage),
    struct('PrivateMessage', wire.PrivateMessage, arbitrary.privateMessage),
    struct('AuthenticatedContent', wire.AuthenticatedContent, arbitrary.authenticatedContent),
    struct('Commit', wire.Commit, arbitrary.commit),
    struct('UpdatePath', wire.UpdatePath, arbitrary.updatePath),
    struct('KeyPackage', wire.KeyPackage, arbitrary.keyPackage),
    struct('Welcome', wire.Welcome, arbitrary.welcome),
    struct('GroupSecrets', wire.GroupSecrets, arbitrary.groupSecrets),
    struct('GroupInfo', wire.GroupInfo, arbitrary.groupInfo),
    struct('GroupContext', wire.GroupContext, arbitrary.groupContext),
    struct('RatchetTree', wire.RatchetTree, arbitrary.ratchetTree),
  ])('$name is the same after encoding and decoding', ({ codec, values }) => {
    fc.assert(
      fc.property(values, (value) => {
        const encoded = encode(codec, value)
        const decoded = decode(codec, encoded)
        expect(decoded).toEqual(value)
        expect(toHex(encode(codec, decoded))).toBe(toHex(encoded))
      }),
      { numRuns: 300 },
    )
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
