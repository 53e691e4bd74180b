import type { RandomBytes } from '@conclave/core'
import { emptyBytes, fromHex, toHex, utf8 } from '@conclave/core/codec'
import {
  decryptWithLabel,
  encryptWithLabel,
  type HpkeKeyPair,
  Secret,
} from '@conclave/core/crypto/secret'
import { describe, expect, it } from 'vitest'
import { providerNames, seededRandom, suiteWith } from './suite.ts'

const info = utf8('info')
const plaintext = utf8('path secret')
const openFailed = expect.objectContaining({ name: 'CryptoError', code: 'crypto-open-failed' })

// Keys that are refused: encryptionKey.test.ts. The other suites: agreement.test.ts.
describe.each(providerNames)('%s', (provider) => {
  const suiteOver = (random: RandomBytes) => suiteWith(random, 1, provider)
  const crypto = suiteOver(seededRandom('hpke'))
  const keyPair = (seed: number): Promise<HpkeKeyPair> =>
    crypto.deriveKeyPair(new Secret(new Uint8Array(32).fill(seed)))

  describe('HPKE keys', () => {
    it('are derived as in RFC 9180 A.1.1', async () => {
      const ikm = '6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037'
      const { privateKey, publicKey } = await crypto.deriveKeyPair(new Secret(fromHex(ikm)))
      expect(toHex(privateKey.expose())).toBe(
        '4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8',
      )
      expect(toHex(publicKey)).toBe(
        '3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d',
      )
    })
  })

  describe('HPKE sealing', () => {
    it('takes its ephemeral key from the injected randomness, as in RFC 9180 A.1.1', async () => {
      const ikm = '7268600d403fce431561aef583ee1613527cff655c1343f29812e66706df3234'
      const replay = suiteOver(() => fromHex(ikm))
      const { publicKey } = await keyPair(1)
      const { kemOutput } = await replay.hpkeSeal(publicKey, info, plaintext)
      expect(toHex(kemOutput)).toBe(
        '37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431',
      )
    })

    it('gives the same bytes for the same randomness and others for the next', async () => {
      const { publicKey } = await keyPair(1)
      const one = suiteOver(seededRandom('replayed'))
      const again = suiteOver(seededRandom('replayed'))
      const first = await one.hpkeSeal(publicKey, info, plaintext)
      expect(await again.hpkeSeal(publicKey, info, plaintext)).toEqual(first)
      expect(await one.hpkeSeal(publicKey, info, plaintext)).not.toEqual(first)
    })

    it('uses and wipes exactly the random bytes it asked for, wherever they lie', async () => {
      const key = await keyPair(1)
      const fresh = await suiteOver(() => new Uint8Array(32).fill(7)).hpkeSeal(
        key.publicKey,
        info,
        plaintext,
      )
      const pool = new Uint8Array(96).fill(9)
      const pooled = suiteOver((length) => pool.subarray(32, 32 + length).fill(7))
      expect(await pooled.hpkeSeal(key.publicKey, info, plaintext)).toEqual(fresh)
      expect(toHex(pool)).toBe('09'.repeat(32) + '00'.repeat(32) + '09'.repeat(32))
    })
  })

  describe('HPKE opening', () => {
    it.each([0, 1, 32, 70_000])('gives back a plaintext of %i bytes', async (length) => {
      const key = await keyPair(1)
      const content = new Uint8Array(length).fill(5)
      const sealed = await crypto.hpkeSeal(key.publicKey, info, content)
      expect(sealed.kemOutput).toHaveLength(32)
      expect(sealed.ciphertext).toHaveLength(length + 16)
      expect(await crypto.hpkeOpen(key, info, sealed)).toEqual(content)
    })

    it('takes a context of a megabyte, as a Welcome with its ratchet tree inside needs', async () => {
      const key = await keyPair(1)
      const context = new Uint8Array(2 ** 20).fill(3)
      const sealed = await encryptWithLabel(crypto, key.publicKey, 'Welcome', context, plaintext)
      expect(await decryptWithLabel(crypto, key, 'Welcome', context, sealed)).toEqual(plaintext)
      const altered = context.with(2 ** 20 - 1, 4)
      await expect(decryptWithLabel(crypto, key, 'Welcome', altered, sealed)).rejects.toEqual(
        openFailed,
      )
    })

    it('takes arguments that are views into larger buffers', async () => {
      const key = await keyPair(1)
      const within = (bytes: Uint8Array) => {
        const larger = new Uint8Array(bytes.length + 20).fill(0xee)
        larger.set(bytes, 10)
        return larger.subarray(10, 10 + bytes.length)
      }
      const { kemOutput, ciphertext } = await crypto.hpkeSeal(
        within(key.publicKey),
        within(info),
        within(plaintext),
      )
      const sealed = { kemOutput: within(kemOutput), ciphertext: within(ciphertext) }
      expect(await crypto.hpkeOpen(key, info, sealed)).toEqual(plaintext)
    })

    it('with another key fails', async () => {
      const sealed = await crypto.hpkeSeal((await keyPair(1)).publicKey, info, plaintext)
      await expect(crypto.hpkeOpen(await keyPair(2), info, sealed)).rejects.toEqual(openFailed)
    })

    it('with another info fails', async () => {
      const key = await keyPair(1)
      const sealed = await crypto.hpkeSeal(key.publicKey, info, plaintext)
      await expect(crypto.hpkeOpen(key, emptyBytes, sealed)).rejects.toEqual(openFailed)
    })

    it('fails when any byte of the ciphertext or of the KEM output was changed', async () => {
      const key = await keyPair(1)
      const { kemOutput, ciphertext } = await crypto.hpkeSeal(key.publicKey, info, plaintext)
      const flip = (bytes: typeof kemOutput, at: number) =>
        bytes.with(at, (bytes[at] as number) ^ 1) as typeof kemOutput
      for (const at of kemOutput.keys()) {
        const sealed = { kemOutput: flip(kemOutput, at), ciphertext }
        await expect(crypto.hpkeOpen(key, info, sealed)).rejects.toEqual(openFailed)
      }
      for (const at of ciphertext.keys()) {
        const sealed = { kemOutput, ciphertext: flip(ciphertext, at) }
        await expect(crypto.hpkeOpen(key, info, sealed)).rejects.toEqual(openFailed)
      }
    })

    it.each([0, 1, 15, 16])('of a ciphertext of only %i bytes fails', async (length) => {
      const key = await keyPair(1)
      const { kemOutput } = await crypto.hpkeSeal(key.publicKey, info, plaintext)
      const sealed = { kemOutput, ciphertext: new Uint8Array(length) }
      await expect(crypto.hpkeOpen(key, info, sealed)).rejects.toEqual(openFailed)
    })

    it('with a wiped key says so instead of blaming the ciphertext', async () => {
      const key = await keyPair(1)
      const sealed = await crypto.hpkeSeal(key.publicKey, info, plaintext)
      key.privateKey.wipe()
      await expect(crypto.hpkeOpen(key, info, sealed)).rejects.toEqual(
        expect.objectContaining({ name: 'CryptoError', code: 'crypto-secret-wiped' }),
      )
    })
  })
})
