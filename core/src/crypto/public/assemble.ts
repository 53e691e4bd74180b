import type { Bytes } from '../../codec/bytes.ts'
import { type CipherSuite, cipherSuites, type SignatureCurve } from './cipherSuite.ts'
import type { PublicCrypto, PublicSuite, SignedBytes } from './publicSuite.ts'
import { isWellFormed } from './wellFormed.ts'

/** What a platform brings to a suite's public half. */
export interface PublicPlatform {
  hash(suite: CipherSuite, data: Uint8Array): Bytes
  /** Of what is well-formed. May throw or reject where the key or the signature is none. */
  verify(curve: SignatureCurve, signed: SignedBytes): boolean | Promise<boolean>
  /** Verifies one of many where that differs from `verify`. */
  verifyBeside?(curve: SignatureCurve, signed: SignedBytes): Promise<boolean>
}

/** Every suite over `platform`. The forms that platforms disagree about are refused here, once. */
export function assemblePublicCrypto(platform: PublicPlatform): PublicCrypto {
  return { publicSuite: perSuite((suite) => assemblePublicSuite(suite, platform)) }
}

/** What `make` makes of a suite that exists, made when it is first asked for. */
export function perSuite<T>(make: (suite: CipherSuite) => T): (id: number) => T | undefined {
  const made = new Map<number, T>()
  return (id) => {
    const suite = cipherSuites.get(id)
    if (suite === undefined) return undefined
    const known = made.get(id)
    if (known !== undefined) return known
    const fresh = make(suite)
    made.set(id, fresh)
    return fresh
  }
}

export function assemblePublicSuite(suite: CipherSuite, platform: PublicPlatform): PublicSuite {
  const { signature: curve } = suite
  const checked = async (signed: SignedBytes, verify: PublicPlatform['verify']) => {
    if (!isWellFormed(curve, signed)) return false
    try {
      return await verify(curve, signed)
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
