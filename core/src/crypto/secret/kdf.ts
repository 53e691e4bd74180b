import { expand } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { type Bytes, plainBytes } from '../../codec/bytes.ts'
import { CryptoError } from '../cryptoError.ts'
import type { CipherSuite } from '../public/cipherSuite.ts'
import { nobleHashes } from '../public/noble.ts'

/** HMAC and HKDF (RFC 5869) with a suite's hash. */
export interface Kdf {
  extract(salt: Uint8Array, inputKey: Uint8Array): Bytes
  /** @throws CryptoError `crypto-output-too-long` */
  expand(pseudorandomKey: Uint8Array, info: Uint8Array, length: number): Bytes
  mac(key: Uint8Array, data: Uint8Array): Bytes
}

/** HKDF over a platform's HMAC; Expand by noble, since its input is short wherever MLS calls it. */
export function kdfOver(suite: CipherSuite, mac: Kdf['mac']): Kdf {
  const hash = nobleHashes[suite.hash]
  return {
    extract: mac,
    expand: (pseudorandomKey, info, length) => {
      checkOutputLength(suite, length)
      return plainBytes(expand(hash, pseudorandomKey, info, length))
    },
    mac,
  }
}

export function nobleKdf(suite: CipherSuite): Kdf {
  const hash = nobleHashes[suite.hash]
  return kdfOver(suite, (key, data) => plainBytes(hmac(hash, key, data)))
}

/** @throws CryptoError `crypto-output-too-long` beyond what Expand can give (RFC 5869 §2.3). */
export function checkOutputLength({ Nh }: CipherSuite, length: number): void {
  if (length > 255 * Nh) {
    throw new CryptoError('crypto-output-too-long', `${length} bytes where ${255 * Nh} are all`)
  }
}
