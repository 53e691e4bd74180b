import { concatBytes, fromHex, utf8 } from '@conclave/core/codec'
import { ed448 } from '@noble/curves/ed448.js'
import { ed25519 } from '@noble/curves/ed25519.js'
import { describe, expect, it } from 'vitest'
import { isWellFormed } from '../../src/crypto/public/wellFormed.ts'
import { nistCurves, toLittleEndian } from './numbers.ts'
import { seededRandom, suiteWith } from './suite.ts'

const message = utf8('message')

async function signed(id: number) {
  const signer = await suiteWith(seededRandom('form'), id).generateSigner()
  return { message, publicKey: signer.publicKey, signature: await signer.sign(message) }
}

/*
 * What no platform gets to see, whatever it would say: here nothing stands behind the check that
 * could refuse in its place.
 */
describe.each([
  [1, 'Ed25519', ed25519, 32],
  [4, 'Ed448', ed448, 57],
] as const)('of suite %i', (id, name, { Point }, size) => {
  const prime = Point.Fp.ORDER

  it(`a ${name} point in its only encoding is well-formed, in another or of small order not`, async () => {
    const good = await signed(id)
    expect(isWellFormed(name, good)).toBe(true)
    for (const y of [0n, 1n, prime - 1n, prime, prime + 1n, prime + 2n, prime + 5n]) {
      for (const sign of [0, 0x80]) {
        const bytes = toLittleEndian(y, size)
        const point = bytes.with(-1, (bytes.at(-1) as number) | sign)
        expect(isWellFormed(name, { ...good, publicKey: point })).toBe(false)
        const signature = concatBytes(point, good.signature.subarray(size))
        expect(isWellFormed(name, { ...good, signature })).toBe(false)
      }
    }
    const reduced = toLittleEndian(prime - 2n, size)
    expect(isWellFormed(name, { ...good, publicKey: reduced })).toBe(true)
  })
})

it('an Ed448 point with bits beyond its coordinate and sign is not well-formed', async () => {
  const good = await signed(4)
  const publicKey = good.publicKey.with(56, (good.publicKey[56] as number) | 1)
  expect(isWellFormed('Ed448', { ...good, publicKey })).toBe(false)
})

describe.each([
  [2, 'P-256'],
  [5, 'P-521'],
  [7, 'P-384'],
] as const)('of suite %i', (id, name) => {
  it(`a ${name} key is well-formed uncompressed, a signature in DER`, async () => {
    const good = await signed(id)
    expect(isWellFormed(name, good)).toBe(true)
    const { Point, Signature } = nistCurves[name]
    const compressed = Point.fromBytes(good.publicKey).toBytes(true)
    const hybrid = good.publicKey.with(0, 6)
    for (const publicKey of [compressed, hybrid, good.publicKey.subarray(1)]) {
      expect(isWellFormed(name, { ...good, publicKey })).toBe(false)
    }
    const compact = Signature.fromBytes(good.signature, 'der').toBytes('compact')
    const longer = concatBytes(good.signature, fromHex('00'))
    for (const signature of [compact, longer, good.signature.subarray(1)]) {
      expect(isWellFormed(name, { ...good, signature })).toBe(false)
    }
  })
})
