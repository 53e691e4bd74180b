import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'
import { concatBytes, emptyBytes, toHex, utf8 } from '@conclave/core/codec'
import { cipherSuites } from '@conclave/core/crypto/public'
import { Secret, webCrypto } from '@conclave/core/crypto/secret'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom, suiteWith } from './suite.ts'

const crypto = suiteWith(seededRandom('symmetric'))
const bytes = fc.uint8Array({ maxLength: 200 })
const fixed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

describe('suite 1', () => {
  it('has the sizes of AES-128-GCM, SHA-256 and X25519', () => {
    expect(crypto.suite).toMatchObject({ id: 1, Nh: 32, Nk: 16, Nn: 12, Nsk: 32 })
    expect([...cipherSuites.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  it('hashes, derives and authenticates as node:crypto does', () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, fc.integer({ min: 1, max: 300 }), (a, b, c, length) => {
        expect(toHex(crypto.hash(a))).toBe(createHash('sha256').update(a).digest('hex'))
        expect(toHex(crypto.mac(a, b))).toBe(createHmac('sha256', a).update(b).digest('hex'))
        expect(toHex(crypto.expand(crypto.extract(a, b), c, length))).toBe(
          toHex(new Uint8Array(hkdfSync('sha256', b, a, c, length))),
        )
      }),
    )
  })

  it('seals as node:crypto does and opens what it sealed', async () => {
    await fc.assert(
      fc.asyncProperty(fixed(16), fixed(12), bytes, bytes, async (key, nonce, aad, plaintext) => {
        const cipher = createCipheriv('aes-128-gcm', key, nonce).setAAD(aad)
        const expected = concatBytes(cipher.update(plaintext), cipher.final(), cipher.getAuthTag())
        const secret = new Secret(key)
        const sealed = await crypto.aeadSeal(secret, nonce, aad, plaintext)
        expect(toHex(sealed)).toBe(toHex(expected))
        expect(await crypto.aeadOpen(secret, nonce, aad, sealed)).toEqual(plaintext)
      }),
    )
  })
})

describe('an AEAD ciphertext', () => {
  const key = new Secret(new Uint8Array(16).fill(1))
  const nonce = new Uint8Array(12).fill(2)
  const aad = utf8('header')
  const failure = expect.objectContaining({ name: 'CryptoError', code: 'crypto-open-failed' })

  it('does not open after a change of any of its bytes, the tag included', async () => {
    const sealed = await crypto.aeadSeal(key, nonce, aad, utf8('content'))
    for (const [at, byte] of sealed.entries()) {
      const altered = sealed.with(at, byte ^ 0x80)
      await expect(crypto.aeadOpen(key, nonce, aad, altered)).rejects.toEqual(failure)
    }
  })

  it('does not open under another key, nonce or header', async () => {
    const sealed = await crypto.aeadSeal(key, nonce, aad, utf8('content'))
    const otherKey = new Secret(new Uint8Array(16).fill(3))
    await expect(crypto.aeadOpen(otherKey, nonce, aad, sealed)).rejects.toEqual(failure)
    await expect(crypto.aeadOpen(key, nonce.with(0, 9), aad, sealed)).rejects.toEqual(failure)
    await expect(crypto.aeadOpen(key, nonce, emptyBytes, sealed)).rejects.toEqual(failure)
  })

  it.each([0, 1, 15])('of %i bytes, less than a tag, does not open', async (length) => {
    await expect(crypto.aeadOpen(key, nonce, aad, new Uint8Array(length))).rejects.toEqual(failure)
  })

  it('is not made or opened with a wiped key', async () => {
    const wiped = key.copy()
    wiped.wipe()
    const misuse = expect.objectContaining({ code: 'crypto-secret-wiped' })
    await expect(crypto.aeadSeal(wiped, nonce, aad, emptyBytes)).rejects.toEqual(misuse)
    await expect(crypto.aeadOpen(wiped, nonce, aad, new Uint8Array(16))).rejects.toEqual(misuse)
  })
})

describe('a cipher suite that is not offered', () => {
  it.each([0, 8, 0x0a0a, 0xffff])('%i is undefined', (id) => {
    const provider = webCrypto(globalThis.crypto.subtle, seededRandom('none'))
    expect(provider.publicSuite(id)).toBeUndefined()
    expect(provider.secretSuite(id)).toBeUndefined()
  })
})
