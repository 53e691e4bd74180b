import { ConclaveError } from '../error.ts'

export type CredentialErrorCode =
  /** Not the DER of a certificate or of a revocation list, or a chain without certificates. */
  | 'credential-malformed'
  /** A chain with more certificates, or a certificate or list with more bytes, than anyone takes. */
  | 'credential-too-large'
  /** The leaf certificate's key is not the leaf node's signature key (RFC 9420 §5.3). */
  | 'credential-key-mismatch'
  /** No root bears the name of who issued the chain. */
  | 'credential-root-unknown'
  /** A certificate was not issued by the one that follows it. */
  | 'credential-chain-broken'
  | 'credential-signature-invalid'
  /** A key or signature of a kind that is not accepted: RSA below 2048 bits, SHA-1 and the like. */
  | 'credential-algorithm-unsupported'
  | 'credential-expired'
  | 'credential-not-yet-valid'
  /** A certificate that may not issue any has issued one (RFC 5280 §4.2.1.9). */
  | 'credential-not-authority'
  /** More authorities stand below one than its pathLenConstraint allows. */
  | 'credential-path-too-long'
  /** A key is not meant for this: signing messages, certificates or revocation lists. */
  | 'credential-key-usage-wrong'
  /** A critical extension that nobody here understands, or name constraints. */
  | 'credential-extension-unsupported'
  | 'credential-revoked'
  /** No revocation list of a certificate's issuer is at hand, and one is demanded. */
  | 'credential-revocation-unknown'
  /** The issuer's next revocation list is due, and a current one is demanded. */
  | 'credential-revocation-list-stale'
  /** A revocation list that its issuer has not signed, or that says more than can be understood. */
  | 'credential-revocation-list-invalid'

export class CredentialError extends ConclaveError<CredentialErrorCode> {
  override readonly name = 'CredentialError'
}

export type PolicyErrorCode =
  /** The policy has no rule for this type of credential. */
  | 'policy-credential-unsupported'
  /** The application does not accept this identity (RFC 9420 §5.3.1). */
  | 'policy-identity-refused'
  /** A leaf was to be replaced by one of another identity (RFC 9420 §5.3.1, successors). */
  | 'policy-identity-changed'
  /** This kind of sender may not propose this. */
  | 'policy-proposal-forbidden'
  /** A KeyPackage is valid for longer than the application allows (RFC 9420 §7.2). */
  | 'policy-lifetime-too-long'

export class PolicyError extends ConclaveError<PolicyErrorCode> {
  override readonly name = 'PolicyError'
}
