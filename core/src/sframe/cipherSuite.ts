import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { SFrameError } from './error.ts'

/**
 * A row of RFC 9605 §4.5: the constants of a cipher suite, all in bytes.
 *
 * `nka` is the AES key inside the compound AEAD of §4.5.1; AEADs that are whole have none.
 */
export interface SFrameCipherSuite {
  readonly id: number
  readonly name: string
  readonly aead: 'AES-GCM' | 'AES-CTR-HMAC'
  readonly hash: typeof sha256 | typeof sha512
  readonly nh: number
  readonly nka: number | undefined
  readonly nk: number
  readonly nn: number
  readonly nt: number
}

export const AES_128_GCM_SHA256_128 = 0x0004

/** RFC 9605 §8.1; the key is the registered number. */
const SUITES: ReadonlyMap<number, SFrameCipherSuite> = new Map(
  [
    ctrHmac(0x0001, 'AES_128_CTR_HMAC_SHA256_80', 10),
    ctrHmac(0x0002, 'AES_128_CTR_HMAC_SHA256_64', 8),
    ctrHmac(0x0003, 'AES_128_CTR_HMAC_SHA256_32', 4),
    gcm(AES_128_GCM_SHA256_128, 'AES_128_GCM_SHA256_128', sha256, 16),
    gcm(0x0005, 'AES_256_GCM_SHA512_128', sha512, 32),
  ].map((suite) => [suite.id, suite]),
)

/** @throws SFrameError `sframe-unsupported-suite` for a number that RFC 9605 does not define */
export function cipherSuite(id: number): SFrameCipherSuite {
  const suite = SUITES.get(id)
  if (suite === undefined) {
    throw new SFrameError('sframe-unsupported-suite', `no SFrame cipher suite ${id}`)
  }
  return suite
}

function ctrHmac(id: number, name: string, nt: number): SFrameCipherSuite {
  const aead = 'AES-CTR-HMAC'
  return { id, name, aead, hash: sha256, nh: 32, nka: 16, nk: 48, nn: 12, nt }
}

function gcm(
  id: number,
  name: string,
  hash: typeof sha256 | typeof sha512,
  nk: number,
): SFrameCipherSuite {
  return { id, name, aead: 'AES-GCM', hash, nh: hash.outputLen, nka: undefined, nk, nn: 12, nt: 16 }
}
