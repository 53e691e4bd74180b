import { equalBytes, toHex } from '@conclave/core/codec'
import type { PublicCrypto, PublicSuite } from '@conclave/core/crypto/public'
import type { SecretCrypto } from '@conclave/core/crypto/secret'

interface Verified {
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly valid: Promise<boolean>
}

/**
 * All processes of a run verify the same signatures, and that is most of what they do: what one has
 * found out the others need not compute again.
 */
export class RememberedVerifications {
  readonly #known = new Map<string, Verified[]>()

  public(crypto: PublicCrypto): PublicCrypto {
    return { publicSuite: (id) => this.#suite(crypto.publicSuite(id)) }
  }

  secret(crypto: SecretCrypto): SecretCrypto {
    return {
      publicSuite: (id) => this.#suite(crypto.publicSuite(id)),
      secretSuite: (id) => this.#suite(crypto.secretSuite(id)),
    }
  }

  /** So that a long run does not remember all that there ever was. */
  forget(): void {
    this.#known.clear()
  }

  #suite<S extends PublicSuite>(suite: S | undefined): S | undefined {
    if (suite === undefined) return undefined
    const verify: PublicSuite['verify'] = (publicKey, message, signature) => {
      const name = toHex(new Uint8Array(signature))
      const known = this.#known.get(name) ?? []
      this.#known.set(name, known)
      const before = known.find(
        (one) => equalBytes(one.message, message) && equalBytes(one.publicKey, publicKey),
      )
      if (before !== undefined) return before.valid
      const valid = suite.verify(publicKey, message, signature)
      known.push({ publicKey: publicKey.slice(), message: message.slice(), valid })
      return valid
    }
    return {
      ...suite,
      verify,
      verifyAll: (signed) =>
        Promise.all(signed.map((one) => verify(one.publicKey, one.message, one.signature))),
    }
  }
}
