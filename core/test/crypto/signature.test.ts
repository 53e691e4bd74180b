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
import { seededRandom, suiteWith } from './suite.ts'

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

  it('can be a key that nobody can extract', async () => {
    const { subtle } = globalThis.crypto
    const pair = (await subtle.generateKey({ name: 'Ed25519' }, false, [
      'sign',
      'verify',
    ])) as CryptoKeyPair
    const publicKey = new Uint8Array(await subtle.exportKey('raw', pair.publicKey))
    const signer = webSigner(subtle, pair.privateKey, publicKey)
    const signature = await signWithLabel(signer, 'Label', message)
    const signed = concatBytes(fromHex('0d'), utf8('MLS 1.0 Label'), fromHex('07'), message)
    await expect(crypto.verify(publicKey, signed, signature)).resolves.toBe(true)
  })

  it.each([0, 31, 33, 64])('is refused a private key of %i bytes', async (length) => {
    const failure = expect.objectContaining({ name: 'CryptoError', code: 'crypto-invalid-key' })
    const privateKey = new Secret(new Uint8Array(length))
    await expect(crypto.importSigner(privateKey)).rejects.toEqual(failure)
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

  it.each([0, 1, 31, 32, 63, 65, 128])('of %i bytes is false', async (length) => {
    const { publicKey } = await crypto.generateSigner()
    const signature = new Uint8Array(length).fill(1)
    await expect(crypto.verify(publicKey, message, signature)).resolves.toBe(false)
  })

  it.each([0, 1, 31, 33, 64])('under a public key of %i bytes is false', async (length) => {
    const signer = await crypto.generateSigner()
    const key = new Uint8Array(length).fill(1)
    const signature = await signer.sign(message)
    await expect(crypto.verify(key, message, signature)).resolves.toBe(false)
  })

  it('under a key that is no point of the curve is false', async () => {
    const signature = await (await crypto.generateSigner()).sign(message)
    // y = 2 has no x on the curve.
    const key = fromHex(`02${'00'.repeat(31)}`)
    await expect(crypto.verify(key, message, signature)).resolves.toBe(false)
  })

  it('with s not reduced modulo the order is false (RFC 8032 §5.1.7)', async () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n
    const signer = await crypto.generateSigner()
    const signature = await signer.sign(message)
    let s = order
    for (let i = 31; i >= 0; i--) s += BigInt(signature[32 + i] as number) << BigInt(8 * i)
    const twin = signature.map((byte, i) =>
      i < 32 ? byte : Number((s >> BigInt(8 * (i - 32))) & 255n),
    )
    await expect(crypto.verify(signer.publicKey, message, twin)).resolves.toBe(false)
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
