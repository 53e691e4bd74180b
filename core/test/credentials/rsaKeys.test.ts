import { describe, expect, it } from 'vitest'
import { type Bytes, fromHex, utf8 } from '../../src/codec/bytes.ts'
import { isSignedBy } from '../../src/credentials/certificateSignature.ts'
import { refusal } from '../mls/refusals.ts'
import { trustIn } from './certificates.ts'
import { bits, ed25519, element, integer, oid, sequence } from './der.ts'

const rsaEncryption = fromHex('2a864886f70d010101')
const sha256WithRsa = sequence(oid(...rsaEncryption.with(-1, 0x0b)), element(0x05))

/** A SubjectPublicKeyInfo; nobody has to know how to divide its modulus. */
function rsaKey(modulusBytes: number, exponent: readonly number[]): Bytes {
  const modulus = new Uint8Array(modulusBytes).fill(0xff)
  const key = sequence(integer(0, ...modulus), integer(...exponent))
  return sequence(sequence(oid(...rsaEncryption), element(0x05)), bits(0, key))
}

function verify(publicKey: Bytes, signature = new Uint8Array(256)): Promise<boolean> {
  const signed = { signed: utf8('signed'), algorithm: sha256WithRsa, signature }
  return isSignedBy(trustIn([]), signed, publicKey)
}

describe('an RSA key', () => {
  it('of fit size verifies, and refuses what it has not signed, of any length', async () => {
    for (const length of [0, 255, 256, 257]) {
      expect(await verify(rsaKey(256, [1, 0, 1]), new Uint8Array(length))).toBe(false)
    }
    expect(await verify(rsaKey(1024, [1, 0, 1]))).toBe(false)
  })

  it.each([
    ['that is weak', 255, [1, 0, 1]],
    ['of a modulus that takes time', 1025, [1, 0, 1]],
    ['of an exponent that takes time', 256, [1, 0, 0, 0, 0, 1]],
  ] as const)('%s is not accepted', async (_, modulusBytes, exponent) => {
    await expect(verify(rsaKey(modulusBytes, exponent))).rejects.toEqual(
      refusal('credential-algorithm-unsupported'),
    )
  })

  it('that is none has signed nothing', async () => {
    expect(await verify(sequence(ed25519, bits(0, new Uint8Array(32))))).toBe(false)
    expect(await verify(utf8('no key at all'))).toBe(false)
  })
})
