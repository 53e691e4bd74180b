import {
  createPrivateKey,
  createPublicKey,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto'
import { concatBytes, fromHex, toHex, utf8 } from '@conclave/core/codec'
import { webPublicCrypto } from '@conclave/core/crypto/public'
import { Secret, signWithLabel, webSigner } from '@conclave/core/crypto/secret'
import { describe, expect, it } from 'vitest'
import { everySuite, seededRandom, suiteWith } from './suite.ts'

const crypto = suiteWith(seededRandom('signatures'))
const message = utf8('message')
const spkiHeader = fromHex('302a300506032b6570032100')
const pkcs8Header = fromHex('302e020100300506032b657004220420')

describe('a signer', () => {
  it('from the same randomness is the same, and the next one another', async () => {
    const one = suiteWith(seededRandom('one'))
    const first = await one.generateSigner()
    const again = await suiteWith(seededRandom('one')).generateSigner()
    expect(again.publicKey).toEqual(first.publicKey)
    expect((await one.generateSigner()).publicKey).not.toEqual(first.publicKey)
  })

  it('signs as node:crypto does and is verified by it', async () => {
    const seed = new Uint8Array(32).fill(3)
    const signer = await crypto.importSigner(new Secret(seed.slice()))
    const signature = await signer.sign(message)
    const privateKey = createPrivateKey({
      key: Buffer.from(concatBytes(pkcs8Header, seed)),
      format: 'der',
      type: 'pkcs8',
    })
    const publicKey = createPublicKey({
      key: Buffer.from(concatBytes(spkiHeader, signer.publicKey)),
      format: 'der',
      type: 'spki',
    })
    expect(toHex(signature)).toBe(toHex(nodeSign(null, message, privateKey)))
    expect(nodeVerify(null, message, publicKey, signature)).toBe(true)
  })

  it.each([2, 5, 7])('is not made of randomness that never gives a key, suite %i', async (id) => {
    const stuck = suiteWith((length) => new Uint8Array(length), id)
    await expect(stuck.generateSigner()).rejects.toEqual(
      expect.objectContaining({ name: 'CryptoError', code: 'crypto-invalid-key' }),
    )
  })

  it('wipes the random seed that it was generated from', async () => {
    const drawn: Uint8Array[] = []
    const random = seededRandom('wiped')
    const suite = suiteWith((length) => {
      const bytes = random(length)
      drawn.push(bytes)
      return bytes
    })
    await suite.generateSigner()
    expect(drawn.map(toHex)).toEqual(['00'.repeat(32)])
  })

  it.each([
    [1, { name: 'Ed25519' }],
    [2, { name: 'ECDSA', namedCurve: 'P-256' }],
    [5, { name: 'ECDSA', namedCurve: 'P-521' }],
    [7, { name: 'ECDSA', namedCurve: 'P-384' }],
  ])('of suite %i can be a key that nobody can extract', async (id, algorithm) => {
    const { subtle } = globalThis.crypto
    const usages: KeyUsage[] = ['sign', 'verify']
    const pair = (await subtle.generateKey(algorithm, false, usages)) as CryptoKeyPair
    expect(pair.privateKey.extractable).toBe(false)
    const publicKey = new Uint8Array(await subtle.exportKey('raw', pair.publicKey))
    const signer = webSigner(subtle, pair.privateKey, publicKey)
    const signature = await signWithLabel(signer, 'Label', message)
    const signed = concatBytes(fromHex('0d'), utf8('MLS 1.0 Label'), fromHex('07'), message)
    for (const [name, suite] of everySuite(id)) {
      expect(await suite.verify(publicKey, signed, signature), name).toBe(true)
    }
  })

  it('is not made of a key that signs in no suite', async () => {
    const { subtle } = globalThis.crypto
    const key = await subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
    expect(() => webSigner(subtle, key, new Uint8Array(32))).toThrow(TypeError)
  })
})

describe('a signature', () => {
  it('that was changed in any byte is false', async () => {
    const signer = await crypto.generateSigner()
    const signature = await signer.sign(message)
    await expect(crypto.verify(signer.publicKey, message, signature)).resolves.toBe(true)
    for (const [at, byte] of signature.entries()) {
      const altered = signature.with(at, byte ^ 1)
      await expect(crypto.verify(signer.publicKey, message, altered)).resolves.toBe(false)
    }
  })

  it('under a key that is no point of the curve is false', async () => {
    const signature = await (await crypto.generateSigner()).sign(message)
    // y = 2 has no x on the curve.
    const key = fromHex(`02${'00'.repeat(31)}`)
    await expect(crypto.verify(key, message, signature)).resolves.toBe(false)
  })
})

/** The encodings, one sign bit each, of all points whose order divides 8. */
const smallOrderPoints = [
  `01${'00'.repeat(31)}`,
  '00'.repeat(32),
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
].flatMap((hex) => {
  const positive = fromHex(hex)
  return [hex, toHex(positive.with(31, (positive[31] as number) | 0x80))]
})

/*
 * A signature of small order is accepted by Chromium and by OpenSSL 3.0 and refused by OpenSSL 3.5,
 * so one message could split a group by platform. The platform here accepts everything: what is
 * false was refused before it.
 */
describe('a point of small order', () => {
  const subtle = globalThis.crypto.subtle
  const acceptsAll: SubtleCrypto = Object.create(subtle, {
    importKey: { value: async () => ({}) },
    verify: { value: async () => true },
  })
  const lenient = webPublicCrypto(acceptsAll).publicSuite(1)

  it.each(smallOrderPoints)('%s is neither a public key nor part of a signature', async (hex) => {
    const point = fromHex(hex)
    const signer = await crypto.generateSigner()
    const signature = await signer.sign(message)
    const withPoint = concatBytes(point, signature.subarray(32))
    await expect(lenient?.verify(signer.publicKey, message, signature)).resolves.toBe(true)
    await expect(lenient?.verify(point, message, signature)).resolves.toBe(false)
    await expect(lenient?.verify(signer.publicKey, message, withPoint)).resolves.toBe(false)
  })

  it('signs nothing for anyone who knows no key', async () => {
    const identity = fromHex(`01${'00'.repeat(31)}`)
    const forged = concatBytes(identity, new Uint8Array(32))
    await expect(crypto.verify(identity, message, forged)).resolves.toBe(false)
  })
})
