import type { Bytes } from '../../codec/bytes.ts'
import { type CipherSuite, cipherSuites, type SignatureCurve } from './cipherSuite.ts'
import type { PublicCrypto, PublicSuite, SignedBytes } from './publicSuite.ts'
import { wellFormed } from './wellFormed.ts'

/** What a platform brings to a suite's public half. */
export interface PublicPlatform {
  hash(suite: CipherSuite, data: Uint8Array): Bytes
  /** `signature` is r ‖ s for ECDSA. May throw or reject for what is no key or signature. */
  verify(curve: SignatureCurve, signed: SignedBytes): boolean | Promise<boolean>
  /** Verifies one of many where that differs from `verify`. */
  verifyBeside?(curve: SignatureCurve, signed: SignedBytes): Promise<boolean>
}

/** Every suite over `platform`. The forms that platforms disagree about are refused here, once. */
export function assemblePublicCrypto(platform: PublicPlatform): PublicCrypto {
  return {
    publicSuite: (id) => {
      const suite = cipherSuites.get(id)
      return suite && assemblePublicSuite(suite, platform)
    },
  }
}

export function assemblePublicSuite(suite: CipherSuite, platform: PublicPlatform): PublicSuite {
  const { signature: curve } = suite
  const checked = async (
    { publicKey, message, signature }: SignedBytes,
    check: (curve: SignatureCurve, signed: SignedBytes) => boolean | Promise<boolean>,
  ) => {
    const form = wellFormed(curve, publicKey, signature)
    if (form === undefined) return false
    try {
      return await check(curve, { publicKey, message, signature: form })
    } catch {
      return false
    }
  }
  const verifyBeside = platform.verifyBeside ?? platform.verify
  return {
    suite,
    hash: (data) => platform.hash(suite, data),
    verify: (publicKey, message, signature) =>
      checked({ publicKey, message, signature }, platform.verify),
    verifyAll: (signed) => Promise.all(signed.map((one) => checked(one, verifyBeside))),
  }
}
