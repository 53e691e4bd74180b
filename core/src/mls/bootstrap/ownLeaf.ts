import type { Bytes } from '../../codec/bytes.ts'
import type { PublicCrypto } from '../../crypto/public/publicSuite.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { Capabilities } from '../../wire/ratchetTree.ts'
import { CipherSuiteId, CredentialType, ProtocolVersion } from '../../wire/registry.ts'
import type { OwnLeaf } from './keyPackageBundle.ts'

/**
 * RFC 9420 §7.2: what a client says that it supports: all cipher suites of its provider, basic
 * credentials, and what `also` lists beyond the RFC's own extension and proposal types.
 */
export function capabilitiesOf(
  crypto: PublicCrypto,
  also: Partial<Pick<Capabilities, 'extensions' | 'proposals' | 'credentials'>> = {},
): Capabilities {
  const suites = Object.values(CipherSuiteId)
  return {
    versions: [ProtocolVersion.mls10],
    cipherSuites: suites.filter((id) => crypto.publicSuite(id) !== undefined),
    extensions: also.extensions ?? [],
    proposals: also.proposals ?? [],
    credentials: also.credentials ?? [CredentialType.basic],
  }
}

/** A client of `identity` with a new signature key, for one group. */
export async function createBasicLeaf(
  crypto: PublicCrypto,
  suite: SecretSuite,
  identity: Bytes,
): Promise<OwnLeaf> {
  return {
    signer: await suite.generateSigner(),
    credential: { credentialType: CredentialType.basic, identity },
    capabilities: capabilitiesOf(crypto),
    extensions: [],
  }
}
