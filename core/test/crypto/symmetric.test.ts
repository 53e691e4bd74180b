import { createCipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'
import { concatBytes, emptyBytes, toHex, utf8 } from '@conclave/core/codec'
import { cipherSuites } from '@conclave/core/crypto/public'
import { expandWithLabel, Secret } from '@conclave/core/crypto/secret'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { everySuite, providers, seededRandom, suiteIds, suiteWith } from './suite.ts'

const bytes = fc.uint8Array({ maxLength: 200 })
const fixed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })

const nodeNames = {
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
  'AES-128-GCM': 'aes-128-gcm',
  'AES-256-GCM': 'aes-256-gcm',
  // Typed as if it were GCM, whose interface it has.
  'ChaCha20-Poly1305': 'chacha20-poly1305' as 'aes-256-gcm',
} as const

describe('the cipher suites of RFC 9420 §17.1', () => {
  it('are all there, with the sizes of RFC 9180', () => {
    const table = [...cipherSuites.values()].map((s) => [
      [s.id, s.kem, s.hash, s.aead, s.signature].join(' '),
      [s.Nh, s.Nk, s.Nn, s.Nsk, s.Npk].join(' '),
    ])
    expect(table).toEqual([
      ['1 X25519 SHA-256 AES-128-GCM Ed25519', '32 16 12 32 32'],
      ['2 P-256 SHA-256 AES-128-GCM P-256', '32 16 12 32 65'],
      ['3 X25519 SHA-256 ChaCha20-Poly1305 Ed25519', '32 32 12 32 32'],
      ['4 X448 SHA-512 AES-256-GCM Ed448', '64 32 12 56 56'],
      ['5 P-521 SHA-512 AES-256-GCM P-521', '64 32 12 66 133'],
      ['6 X448 SHA-512 ChaCha20-Poly1305 Ed448', '64 32 12 56 56'],
      ['7 P-384 SHA-384 AES-256-GCM P-384', '48 32 12 48 97'],
    ])
  })

  it('beyond them are undefined in every provider', () => {
    for (const provider of providers.values()) {
      for (const id of [0, 8, 0x0a0a, 0xffff]) {
        expect(provider(seededRandom('none')).publicSuite(id)).toBeUndefined()
        expect(provider(seededRandom('none')).secretSuite(id)).toBeUndefined()
      }
    }
  })

  it('are made once by each provider, so that what they have imported is kept', () => {
    for (const provider of providers.values()) {
      const crypto = provider(seededRandom('once'))
      expect(crypto.secretSuite(1)).toBe(crypto.secretSuite(1))
      expect(crypto.publicSuite(1)).toBe(crypto.publicSuite(1))
    }
  })
})

describe.each(suiteIds)('suite %i', (id) => {
  const { suite } = suiteWith(seededRandom(''), id)
  const { Nh, Nk, Nn } = suite
  const hash = nodeNames[suite.hash]

  it('hashes, derives and authenticates as node:crypto does', () => {
    fc.assert(
      fc.property(bytes, bytes, bytes, fc.integer({ min: 1, max: 300 }), (a, b, c, length) => {
        for (const [, crypto] of everySuite(id)) {
          expect(toHex(crypto.hash(a))).toBe(createHash(hash).update(a).digest('hex'))
          expect(toHex(crypto.mac(a, b))).toBe(createHmac(hash, a).update(b).digest('hex'))
          expect(toHex(crypto.expand(crypto.extract(a, b), c, length))).toBe(
            toHex(new Uint8Array(hkdfSync(hash, b, a, c, length))),
          )
        }
      }),
      { numRuns: 20 },
    )
  })

  it('seals as node:crypto does and opens what it sealed', async () => {
    await fc.assert(
      fc.asyncProperty(fixed(Nk), fixed(Nn), bytes, bytes, async (key, nonce, aad, plaintext) => {
        const options = { authTagLength: 16 }
        const cipher = createCipheriv(nodeNames[suite.aead], key, nonce, options).setAAD(aad)
        const expected = concatBytes(cipher.update(plaintext), cipher.final(), cipher.getAuthTag())
        for (const [, crypto] of everySuite(id)) {
          const secret = new Secret(key.slice())
          const sealed = await crypto.aeadSeal(secret, nonce, aad, plaintext)
          expect(toHex(sealed)).toBe(toHex(expected))
          expect(await crypto.aeadOpen(secret, nonce, aad, sealed)).toEqual(plaintext)
        }
      }),
      { numRuns: 10 },
    )
  })

  it('derives 255 times the size of its hash and says so when asked for more', () => {
    const tooLong = expect.objectContaining({ code: 'crypto-output-too-long' })
    for (const [, crypto] of everySuite(id)) {
      const key = new Uint8Array(Nh)
      expect(crypto.expand(key, emptyBytes, 255 * Nh)).toHaveLength(255 * Nh)
      expect(() => crypto.expand(key, emptyBytes, 255 * Nh + 1)).toThrow(tooLong)
      // A length that the label's struct could not even state.
      const secret = new Secret(key)
      expect(() => expandWithLabel(crypto, secret, 'l', emptyBytes, 70_000)).toThrow(tooLong)
    }
  })

  it('exports from HPKE no more than that either', async () => {
    const tooLong = expect.objectContaining({ code: 'crypto-output-too-long' })
    const crypto = suiteWith(seededRandom('exports'), id, 'node')
    const own = await crypto.deriveKeyPair(new Secret(new Uint8Array(Nh)))
    const sealing = crypto.hpkeSealExport(own.publicKey, emptyBytes, emptyBytes, 255 * Nh + 1)
    await expect(sealing).rejects.toEqual(tooLong)
    await expect(
      crypto.hpkeOpenExport(own, own.publicKey, emptyBytes, emptyBytes, 255 * Nh + 1),
    ).rejects.toEqual(tooLong)
  })
})

describe.each([1, 3])('an AEAD ciphertext of suite %i', (id) => {
  const suites = everySuite(id)
  const { Nk, Nn } = suiteWith(seededRandom(''), id).suite
  const key = new Secret(new Uint8Array(Nk).fill(1))
  const nonce = new Uint8Array(Nn).fill(2)
  const aad = utf8('header')
  const failure = expect.objectContaining({ name: 'CryptoError', code: 'crypto-open-failed' })

  it.each(suites)('does not open after a change of any of its bytes: %s', async (_, crypto) => {
    const sealed = await crypto.aeadSeal(key, nonce, aad, utf8('content'))
    for (const [at, byte] of sealed.entries()) {
      const altered = sealed.with(at, byte ^ 0x80)
      await expect(crypto.aeadOpen(key, nonce, aad, altered)).rejects.toEqual(failure)
    }
  })

  it.each(suites)('does not open under another key, nonce or header: %s', async (_, crypto) => {
    const sealed = await crypto.aeadSeal(key, nonce, aad, utf8('content'))
    const otherKey = new Secret(new Uint8Array(Nk).fill(3))
    await expect(crypto.aeadOpen(otherKey, nonce, aad, sealed)).rejects.toEqual(failure)
    await expect(crypto.aeadOpen(key, nonce.with(0, 9), aad, sealed)).rejects.toEqual(failure)
    await expect(crypto.aeadOpen(key, nonce, emptyBytes, sealed)).rejects.toEqual(failure)
  })

  it.each(suites)('does not open cut short: %s', async (_, crypto) => {
    const sealed = await crypto.aeadSeal(key, nonce, aad, utf8('content'))
    for (const length of [0, 1, 4, 8, 12, 15, 16, sealed.length - 1]) {
      const cut = sealed.subarray(0, length)
      await expect(crypto.aeadOpen(key, nonce, aad, cut)).rejects.toEqual(failure)
    }
  })

  it.each(suites)('is not made or opened with a wiped key: %s', async (_, crypto) => {
    const wiped = key.copy()
    wiped.wipe()
    const misuse = expect.objectContaining({ code: 'crypto-secret-wiped' })
    await expect(crypto.aeadSeal(wiped, nonce, aad, emptyBytes)).rejects.toEqual(misuse)
    await expect(crypto.aeadOpen(wiped, nonce, aad, new Uint8Array(16))).rejects.toEqual(misuse)
  })
})
