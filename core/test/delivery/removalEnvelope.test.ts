import { fromHex, toHex } from '@conclave/core/codec'
import { signWithLabel } from '@conclave/core/crypto/secret'
import {
  encodeRemovalEnvelope,
  packRemovalWords,
  readRemovalEnvelope,
  removalRequestLabel,
  removalRequestTbs,
  unpackRemovalWords,
  verifyRemovalRequest,
} from '@conclave/core/delivery'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { suite } from '../mls/testCrypto.ts'

const crypto = suite()
const groupId = fromHex('00112233445566778899aabbccddeeff')
const bytes = fc.uint8Array({ maxLength: 64 })

describe('a removal envelope', () => {
  test('has one encoding', () => {
    const requester = { leafIndex: 258, signature: fromHex('aabb') }
    expect(toHex(encodeRemovalEnvelope({ reason: 'removed', requester }))).toBe(
      '04010000010202aabb',
    )
    expect(toHex(encodeRemovalEnvelope({ reason: 'idle' }))).toBe('0200')
  })

  test('is read as it was written', () => {
    const requester = fc.record({ leafIndex: fc.nat(), signature: bytes })
    fc.assert(
      fc.property(
        fc.constantFrom('absent', 'idle', 'left', 'removed'),
        fc.option(requester, { nil: undefined }),
        (reason, requester) => {
          const envelope = { reason, requester }
          expect(readRemovalEnvelope(encodeRemovalEnvelope(envelope))).toEqual(envelope)
        },
      ),
    )
  })

  test.each(['', '00', '0500', '0202', '020000', '04010000'])('is not %j', (hex) => {
    expect(readRemovalEnvelope(fromHex(hex))).toBeUndefined()
  })
})

describe('a removal request', () => {
  test('is valid for the leaf and the group that were signed, by who signed', async () => {
    const [host, other] = [await crypto.generateSigner(), await crypto.generateSigner()]
    const signatureKey = fromHex('c0ffee')
    const content = removalRequestTbs(groupId, signatureKey)
    const signature = await signWithLabel(host, removalRequestLabel, content)
    const verifies = (key: Uint8Array<ArrayBuffer>, change = {}) =>
      verifyRemovalRequest(crypto, key, { groupId, signatureKey, ...change }, signature)
    expect(await verifies(host.publicKey)).toBe(true)
    expect(await verifies(other.publicKey)).toBe(false)
    expect(await verifies(host.publicKey, { groupId: fromHex('00') })).toBe(false)
    expect(await verifies(host.publicKey, { signatureKey: fromHex('c0') })).toBe(false)
  })

  test('travels with one word for each leaf', () => {
    const word = fc.record({ leafIndex: fc.nat(), signature: bytes })
    fc.assert(
      fc.property(fc.array(word, { maxLength: 5 }), (words) => {
        expect(unpackRemovalWords(packRemovalWords(words))).toEqual(words)
      }),
    )
  })
})
