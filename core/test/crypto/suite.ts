import type { RandomBytes } from '@conclave/core'
import { utf8 } from '@conclave/core/codec'
import { type SecretSuite, webCrypto } from '@conclave/core/crypto/secret'
import { sha256 } from '@noble/hashes/sha2.js'

/** A stream of bytes that is the same for every run with this seed. */
export function seededRandom(seed: string): RandomBytes {
  let block = 0
  return (length) => {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += 32) {
      const next = sha256(utf8(`${seed} ${block++}`))
      bytes.set(next.subarray(0, Math.min(32, length - at)), at)
    }
    return bytes
  }
}

/** Suite 1 over Node's WebCrypto. */
export function suiteWith(random: RandomBytes): SecretSuite {
  const suite = webCrypto(crypto.subtle, random).secretSuite(1)
  if (suite === undefined) throw new Error('suite 1 is missing')
  return suite
}
