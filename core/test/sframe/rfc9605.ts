import { emptyBytes, fromHex, toHex } from '@conclave/core/codec'
import {
  cipherSuite,
  decodeHeader,
  deriveKeySalt,
  deriveSecret,
  encodeHeader,
  type FrameAead,
  SFrameKey,
} from '@conclave/core/sframe'
import { expect, it } from 'vitest'
import { describeVector } from '../vectors.ts'
import { parseRfc9605Vectors, type Rfc9605Vectors } from './vectors.ts'

/** All of RFC 9605's vectors, with a platform's AEADs. */
export function describeRfc9605(aead: FrameAead): void {
  describeVector('sframe/rfc9605.json', (vectors) => rfc9605(vectors, aead), parseRfc9605Vectors)
}

function rfc9605(vectors: Rfc9605Vectors, aead: FrameAead): void {
  it('covers every header, AES-CTR-HMAC and whole-frame vector of the file', () => {
    expect(vectors.header).toHaveLength(289)
    expect(vectors.aes_ctr_hmac.map((v) => v.cipher_suite)).toEqual([1, 2, 3])
    expect(vectors.sframe.map((v) => v.cipher_suite)).toEqual([1, 2, 3, 4, 5])
  })

  it('headers encode to and decode from the given bytes', () => {
    for (const { kid, ctr, encoded } of vectors.header) {
      expect(toHex(encodeHeader(BigInt(kid), BigInt(ctr)))).toBe(encoded)
      const length = encoded.length / 2
      expect(decodeHeader(fromHex(encoded))).toEqual({ kid: BigInt(kid), ctr: BigInt(ctr), length })
    }
  })

  it.each(vectors.aes_ctr_hmac)(
    'AES-CTR with HMAC seals and opens, suite $cipher_suite',
    async (v) => {
      const key = await aead.importKey(cipherSuite(v.cipher_suite), fromHex(v.key))
      const [nonce, aad] = [fromHex(v.nonce), fromHex(v.aad)]
      expect(toHex(await key.seal(nonce, aad, fromHex(v.pt), emptyBytes))).toBe(v.ct)
      expect(toHex((await key.open(nonce, aad, fromHex(v.ct))) ?? new Uint8Array())).toBe(v.pt)
    },
  )

  it.each(vectors.sframe)('whole frames, suite $cipher_suite', async (v) => {
    const suite = cipherSuite(v.cipher_suite)
    const [kid, ctr] = [BigInt(v.kid), BigInt(v.ctr)]
    const secret = deriveSecret(suite, fromHex(v.base_key))
    expect(toHex(secret.expose())).toBe(v.sframe_secret)
    const { key, salt } = deriveKeySalt(suite, secret, kid)
    expect(toHex(key.expose())).toBe(v.sframe_key)
    expect(toHex(salt.expose())).toBe(v.sframe_salt)

    const sframeKey = new SFrameKey(suite, aead, secret, kid)
    const [metadata, ct] = [fromHex(v.metadata), fromHex(v.ct)]
    const encrypted = await sframeKey.encrypt(ctr, metadata, fromHex(v.pt))
    expect(toHex(encrypted ?? new Uint8Array())).toBe(v.ct)
    const header = decodeHeader(ct)
    const length = header?.length ?? 0
    const opened = await sframeKey.decrypt(
      ctr,
      ct.subarray(0, length),
      metadata,
      ct.subarray(length),
    )
    expect(toHex(opened ?? new Uint8Array())).toBe(v.pt)
  })
}
