export { applicationIdExtension, applicationIdOf } from './applicationId.ts'
export type { CertifiedSubject } from './certificate.ts'
export type { CertificateCrypto } from './certificateSignature.ts'
export {
  CredentialError,
  type CredentialErrorCode,
  PolicyError,
  type PolicyErrorCode,
} from './credentialError.ts'
export {
  type IdentityPolicy,
  type IdentityRules,
  identityPolicy,
  type X509Rules,
} from './identityPolicy.ts'
export {
  combinePolicies,
  externalSendersMayOnly,
  lifetimesAtMost,
  membersMayOnly,
} from './policies.ts'
export { type RevocationList, readRevocationList } from './revocationList.ts'
export {
  type Revocation,
  type X509Credential,
  type X509Trust,
  type X509Validator,
  x509Validator,
} from './x509Validator.ts'
