import type { CertifiedSubject } from '../../src/credentials/index.ts'
import type { Signer } from '../../src/crypto/secret/index.ts'
import type { OwnLeaf } from '../../src/mls/bootstrap/index.ts'
import type { Credential } from '../../src/wire/index.ts'
import { CredentialType } from '../../src/wire/registry.ts'
import { alternativeNames, type Holder, issueMember, maySign, type Wish } from './certificates.ts'

export const nameOf = ({ alternativeNames: [first] }: CertifiedSubject) =>
  first?.kind === 'email' ? first.name : undefined

/** A certificate for an MLS signature key, with an address in it. */
export async function certify(
  root: Holder,
  signer: Signer,
  email: string,
  wish: Wish = {},
): Promise<Holder> {
  const publicKey = await crypto.subtle.importKey(
    'raw',
    signer.publicKey,
    { name: 'Ed25519' },
    true,
    ['verify'],
  )
  return issueMember(email, root, {
    publicKey,
    extensions: [maySign, alternativeNames({ type: 'email', value: email })],
    ...wish,
  })
}

export function ownLeaf(signer: Signer, credential: Credential): OwnLeaf {
  return {
    signer,
    credential,
    capabilities: {
      versions: [1],
      cipherSuites: [1],
      extensions: [],
      proposals: [],
      credentials: [CredentialType.basic, CredentialType.x509],
    },
    extensions: [],
  }
}
