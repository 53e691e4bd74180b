import { perSuite } from '../public/assemble.ts'
import { VerifiedSignatures } from '../public/verifiedSignatures.ts'
import type { SecretCrypto } from './secretSuite.ts'

/**
 * `rememberingPublicCrypto` for members: who loses the race to enter a large meeting opens its tree
 * again, and judges the Adds of a commit that it would have made itself.
 * @param limit how many signatures may be remembered, asked whenever there is one more: the default
 *   is enough for the largest meeting
 */
export function rememberingCrypto(crypto: SecretCrypto, limit?: () => number): SecretCrypto {
  const verified = new VerifiedSignatures(limit)
  return {
    publicSuite: perSuite(({ id }) => verified.remembering(crypto.publicSuite(id))),
    secretSuite: perSuite(({ id }) => verified.remembering(crypto.secretSuite(id))),
  }
}
