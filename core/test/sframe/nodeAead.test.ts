import { type Bytes, concatBytes } from '@conclave/core/codec'
import {
  cipherSuite,
  decodeHeader,
  deriveSecret,
  FrameDecryptor,
  FrameEncryptor,
  FrameKeys,
  type SFrameHeader,
  SFrameKey,
} from '@conclave/core/sframe'
import { nodeAead } from '@conclave/core/sframe/node'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../virtualClock.ts'
import { epochOf, METADATA, PLAINTEXT, aead as webAead } from './party.ts'
import { describeRfc9605 } from './rfc9605.ts'

const suites = [1, 2, 3, 4, 5]

const bytes = (lengths: { minLength?: number; maxLength?: number }): fc.Arbitrary<Bytes> =>
  fc.uint8Array(lengths).map((value) => Uint8Array.from(value))

const messages = fc.record({
  nonce: bytes({ minLength: 12, maxLength: 12 }),
  aad: bytes({ maxLength: 40 }),
  plaintext: bytes({ maxLength: 300 }),
  head: bytes({ maxLength: 30 }),
})

describe('SFrame on node:crypto', () => {
  describeRfc9605(nodeAead)

  it.each(suites)('gives the bytes that WebCrypto gives, suite %i', async (id) => {
    const suite = cipherSuite(id)
    const keys = bytes({ minLength: suite.nk, maxLength: suite.nk })
    await fc.assert(
      fc.asyncProperty(keys, messages, async (rawKey, { nonce, aad, plaintext, head }) => {
        const node = await nodeAead.importKey(suite, rawKey)
        const web = await webAead.importKey(suite, rawKey)
        const sealed = await node.seal(nonce, aad, plaintext, head)
        expect(sealed).toEqual(await web.seal(nonce, aad, plaintext, head))
        expect(sealed.subarray(0, head.length)).toEqual(head)
        const ciphertext = sealed.subarray(head.length)
        for (const key of [node, web]) {
          expect(await key.open(nonce, aad, ciphertext)).toEqual(plaintext)
        }
      }),
    )
  })

  it.each(suites)('refuses what WebCrypto refuses, suite %i', async (id) => {
    const suite = cipherSuite(id)
    const rawKey = new Uint8Array(suite.nk).fill(7)
    const node = await nodeAead.importKey(suite, rawKey)
    const web = await webAead.importKey(suite, rawKey)
    await fc.assert(
      fc.asyncProperty(messages, fc.nat(), fc.nat(7), async (message, place, bit) => {
        const { nonce, aad, plaintext } = message
        const sealed = await node.seal(nonce, aad, plaintext, new Uint8Array())
        const flipped = sealed.slice()
        const at = place % sealed.length
        flipped[at] = (flipped[at] as number) ^ (1 << bit)
        const otherAad = concatBytes(aad, Uint8Array.of(0))
        for (const key of [node, web]) {
          expect(await key.open(nonce, aad, flipped)).toBeUndefined()
          expect(await key.open(nonce, otherAad, sealed)).toBeUndefined()
          expect(await key.open(nonce, aad, sealed.subarray(0, suite.nt - 1))).toBeUndefined()
        }
      }),
    )
  })

  it.each(suites)('gives plain arrays with a buffer of their own, suite %i', async (id) => {
    const suite = cipherSuite(id)
    const key = await nodeAead.importKey(suite, new Uint8Array(suite.nk))
    const nonce = new Uint8Array(12)
    for (const length of [0, 1, 160, 5000]) {
      const sealed = await key.seal(nonce, nonce, new Uint8Array(length), nonce)
      const opened = await key.open(nonce, nonce, sealed.subarray(12))
      for (const [result, expected] of [
        [sealed, 12 + length + suite.nt],
        [opened, length],
      ] as const) {
        expect(result?.constructor).toBe(Uint8Array)
        expect(result?.buffer.byteLength).toBe(expected)
      }
    }
  })

  it('keeps nothing of the key that it was given', async () => {
    for (const id of suites) {
      const suite = cipherSuite(id)
      const rawKey = new Uint8Array(suite.nk).fill(3)
      const key = await nodeAead.importKey(suite, rawKey)
      const nonce = new Uint8Array(12)
      const before = await key.seal(nonce, nonce, nonce, nonce)
      rawKey.fill(0)
      expect(await key.seal(nonce, nonce, nonce, nonce)).toEqual(before)
    }
  })

  it.each([
    ['node:crypto', nodeAead],
    ['WebCrypto', webAead],
  ] as const)('frames that are under way together do not mix, with %s', async (_name, aead) => {
    for (const id of suites) {
      const suite = cipherSuite(id)
      const key = new SFrameKey(suite, aead, deriveSecret(suite, new Uint8Array(suite.nk)), 9n)
      const frames = Array.from({ length: 8 }, (_, i) => ({
        ctr: BigInt(i),
        metadata: Uint8Array.of(i),
        plaintext: new Uint8Array(100).fill(i),
      }))
      const together = await Promise.all(
        frames.map(({ ctr, metadata, plaintext }) => key.encrypt(ctr, metadata, plaintext)),
      )
      const opened = await Promise.all(
        frames.map(({ ctr, metadata }, i) => {
          const sealed = together[i] as Bytes
          const { length } = decodeHeader(sealed) as SFrameHeader
          return key.decrypt(ctr, sealed.subarray(0, length), metadata, sealed.subarray(length))
        }),
      )
      expect(opened, suite.name).toEqual(frames.map(({ plaintext }) => plaintext))
    }
  })

  it('opens frames of members who use WebCrypto, and the reverse', async () => {
    const clock = new VirtualClock()
    const [sender, receiver] = [webAead, nodeAead].map((aead, leaf) => {
      const keys = new FrameKeys({ aead, clock })
      keys.installEpoch(epochOf(1n, leaf))
      return keys
    }) as [FrameKeys, FrameKeys]
    const pairs = [
      [sender, receiver, 0],
      [receiver, sender, 1],
    ] as const
    for (const [from, to, leaf] of pairs) {
      const sealed = await new FrameEncryptor(from, 'camera').encrypt(METADATA, PLAINTEXT)
      if (!sealed.ok) throw new Error(sealed.reason)
      const decryptor = new FrameDecryptor(to, { leaf, source: 'camera' })
      const opened = await decryptor.decrypt(METADATA, sealed.ciphertext)
      expect(opened).toMatchObject({ ok: true, plaintext: PLAINTEXT })
    }
  })
})
