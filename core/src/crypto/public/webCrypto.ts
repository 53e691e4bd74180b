import { sha256 } from '@noble/hashes/sha2.js'
import { plainBytes } from '../../codec/bytes.ts'
import { type CipherSuite, cipherSuites } from './cipherSuite.ts'
import type { PublicCrypto, PublicSuite } from './publicSuite.ts'
import { isSmallOrder } from './smallOrder.ts'

/**
 * Signatures by the platform's WebCrypto, which browsers and Node both have; hashes by noble,
 * because WebCrypto's are asynchronous and slower for short input.
 */
export function webPublicCrypto(subtle: SubtleCrypto): PublicCrypto {
  return {
    publicSuite: (id) => {
      const suite = cipherSuites.get(id)
      return suite && webPublicSuite(suite, subtle)
    },
  }
}

export function webPublicSuite(suite: CipherSuite, subtle: SubtleCrypto): PublicSuite {
  const verify: PublicSuite['verify'] = async (publicKey, message, signature) => {
    if (isSmallOrder(publicKey) || isSmallOrder(signature.subarray(0, 32))) return false
    try {
      const algorithm = { name: suite.signature }
      const key = await subtle.importKey('raw', plainBytes(publicKey), algorithm, false, ['verify'])
      return await subtle.verify(algorithm, key, plainBytes(signature), plainBytes(message))
    } catch {
      return false
    }
  }
  return {
    suite,
    hash: (data) => plainBytes(sha256(data)),
    verify,
    verifyAll: (signed) =>
      Promise.all(
        signed.map(({ publicKey, message, signature }) => verify(publicKey, message, signature)),
      ),
  }
}
