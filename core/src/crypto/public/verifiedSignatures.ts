import { plainBytes } from '../../codec/bytes.ts'
import { encodeFor, opaque, struct, uint16 } from '../../codec/tls.ts'
import { perSuite } from './assemble.ts'
import type { PublicCrypto, PublicSuite, SignedBytes } from './publicSuite.ts'

/** Two for each member of the largest meeting, twice. An entry takes about a hundred bytes. */
const defaultLimit = 4096

/** All that a verification depends on. */
const Verification = struct({
  cipherSuite: uint16,
  publicKey: opaque(),
  signature: opaque(),
  message: opaque(),
})

/**
 * Recurring signatures that were good, each by a hash of exactly what was verified: suite, key,
 * message and signature. A leaf's signature covers its group and place, and a device's certificate
 * its meeting, so that both are known again there and nowhere else. What was not good is verified
 * again.
 */
export class VerifiedSignatures {
  readonly #limit: () => number
  readonly #good = new Set<string>()

  /** @param limit how many there may be, at the moment that it is asked */
  constructor(limit: () => number = () => defaultLimit) {
    this.#limit = limit
  }

  /** `suite`, which verifies only what is not known here. */
  remembering<S extends PublicSuite>(suite: S | undefined): S | undefined {
    return (
      suite && {
        ...suite,
        verifyAll: (signed) => this.#verifyAll(suite, signed),
        verify: async (publicKey, message, signature, occurs) => {
          const verified = () => suite.verify(publicKey, message, signature, occurs)
          if (occurs !== 'recurring') return verified()
          const name = nameOf(suite, { publicKey, message, signature })
          const good = this.#good.has(name) || (await verified())
          if (good) this.#keep(name)
          return good
        },
      }
    )
  }

  async #verifyAll(
    suite: PublicSuite,
    signed: readonly SignedBytes[],
  ): Promise<readonly boolean[]> {
    const names = signed.map((one) => (one.occurs === 'recurring' ? nameOf(suite, one) : undefined))
    const good = names.map((name) => name !== undefined && this.#good.has(name))
    const unknown = signed.filter((_, i) => good[i] !== true)
    const verified = (await suite.verifyAll(unknown)).values()
    return names.map((name, i) => {
      const isGood = good[i] === true || verified.next().value === true
      if (isGood && name !== undefined) this.#keep(name)
      return isGood
    })
  }

  /** A Set keeps the order of insertion: the first is the one that was not asked for the longest. */
  #keep(name: string): void {
    this.#good.delete(name)
    this.#good.add(name)
    const limit = this.#limit()
    for (const oldest of this.#good) {
      if (this.#good.size <= limit) break
      this.#good.delete(oldest)
    }
  }
}

function nameOf({ suite, hash }: PublicSuite, signed: SignedBytes): string {
  const verification = {
    cipherSuite: suite.id,
    publicKey: plainBytes(signed.publicKey),
    signature: plainBytes(signed.signature),
    message: plainBytes(signed.message),
  }
  return encodeFor(Verification, verification, (bytes) =>
    // To spread bytes takes ten times as long.
    Reflect.apply(String.fromCharCode, undefined, hash(bytes)),
  )
}

/**
 * `crypto`, which verifies no good signature that recurs twice: for whoever meets the same leaves and
 * KeyPackages again, as in a tree that is opened a second time.
 * @param limit how many signatures are remembered
 */
export function rememberingPublicCrypto(crypto: PublicCrypto, limit = defaultLimit): PublicCrypto {
  const verified = new VerifiedSignatures(() => limit)
  return { publicSuite: perSuite(({ id }) => verified.remembering(crypto.publicSuite(id))) }
}
