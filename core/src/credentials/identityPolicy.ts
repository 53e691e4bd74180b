import { type Bytes, equalBytes, toHex } from '../codec/bytes.ts'
import { encode } from '../codec/tls.ts'
import type { CipherSuite } from '../crypto/public/cipherSuite.ts'
import { type GroupPolicy, type Judge, permissivePolicy } from '../mls/public/policy.ts'
import { Credential } from '../wire/credential.ts'
import type { LeafNode } from '../wire/ratchetTree.ts'
import { CredentialType } from '../wire/registry.ts'
import { type CertifiedSubject, readCertificate, subjectOf } from './certificate.ts'
import { PolicyError } from './credentialError.ts'
import type { X509Validator } from './x509Validator.ts'

/** Which credentials a group takes; a type that is left out is refused. */
export interface IdentityRules {
  /**
   * Whether a basic credential's identity belongs to the signature key of its holder, a member or an
   * external sender. The credential proves nothing by itself: this is where the application asks
   * whoever knows.
   */
  readonly basic?: (
    identity: Bytes,
    holder: Pick<LeafNode, 'signatureKey'>,
  ) => boolean | Promise<boolean>
  readonly x509?: X509Rules
}

export interface X509Rules {
  readonly validator: X509Validator
  /**
   * The identity that the application reads from a certificate, undefined for one that it does not
   * accept. Depends on the certificate alone.
   */
  readonly identityOf: (subject: CertifiedSubject) => string | undefined
}

/** A GroupPolicy that names clients and judges external senders. */
export type IdentityPolicy = GroupPolicy &
  Required<Pick<GroupPolicy, 'clientOf' | 'checkExternalSender'>>

/** What members and external senders have in common. */
type Holder = Pick<LeafNode, 'credential' | 'signatureKey'>

/**
 * RFC 9420 §5.3.1: validates each new credential and lets a leaf be replaced only by one of the same
 * identity and type of credential. A client is its identity, so nobody is in a group twice.
 *
 * A leaf that brings the credential and key of its predecessor is not validated again.
 */
export function identityPolicy(rules: IdentityRules): IdentityPolicy {
  // Every member's name is asked for with every Add, and leaves do not change.
  const known = new WeakMap<LeafNode, string>()
  const clientOf = (leafNode: LeafNode) => {
    const name = known.get(leafNode) ?? claimedName(rules, leafNode)
    known.set(leafNode, name)
    return name
  }
  return {
    ...permissivePolicy,
    clientOf,
    checkLeaf: async (crypto, leafNode, _context, previous, by = 'receiver') => {
      if (previous !== undefined && sameCredential(previous, leafNode)) {
        known.set(leafNode, clientOf(previous))
        return
      }
      const name = await confirmedName(rules, crypto.suite, leafNode, by)
      if (previous !== undefined && clientOf(previous) !== name) {
        throw new PolicyError('policy-identity-changed', 'a leaf belongs to somebody else now')
      }
      known.set(leafNode, name)
    },
    // Not by time: joiners meet senders that members have long known, and nobody says who asks.
    checkExternalSender: async (crypto, sender) => {
      await confirmedName(rules, crypto.suite, sender, 'joiner')
    },
  }
}

async function confirmedName(
  rules: IdentityRules,
  suite: CipherSuite,
  holder: Holder,
  by: Judge,
): Promise<string> {
  const { credential, signatureKey } = holder
  if (credential.credentialType === CredentialType.x509 && rules.x509 !== undefined) {
    return nameIn(
      rules.x509,
      await rules.x509.validator.validate(credential, suite, signatureKey, by),
    )
  }
  const name = claimedName(rules, holder)
  if (credential.credentialType === CredentialType.basic) {
    if ((await rules.basic?.(credential.identity, holder)) !== true) throw identityRefused()
  }
  return name
}

/** What a credential says; whether it is true, nobody has checked. */
function claimedName({ basic, x509 }: IdentityRules, { credential }: Holder): string {
  if (credential.credentialType === CredentialType.basic && basic !== undefined) {
    return `basic ${toHex(credential.identity)}`
  }
  if (credential.credentialType === CredentialType.x509 && x509 !== undefined) {
    const [leaf] = credential.certificates
    if (leaf === undefined) throw identityRefused()
    return nameIn(x509, subjectOf(readCertificate(leaf.certData)))
  }
  throw new PolicyError('policy-credential-unsupported', 'no rule for this type of credential')
}

function nameIn({ identityOf }: X509Rules, subject: CertifiedSubject): string {
  const identity = identityOf(subject)
  if (identity === undefined) throw identityRefused()
  return `x509 ${identity}`
}

function sameCredential(a: LeafNode, b: LeafNode): boolean {
  return (
    equalBytes(a.signatureKey, b.signatureKey) &&
    equalBytes(encode(Credential, a.credential), encode(Credential, b.credential))
  )
}

function identityRefused(): PolicyError {
  return new PolicyError('policy-identity-refused', 'the application does not accept this identity')
}
