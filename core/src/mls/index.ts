/**
 * MLS (RFC 9420) as a whole: groups, KeyPackages, policies and what a delivery service checks.
 * Providers of the cryptography are `@conclave/core/crypto/secret` and, on Node,
 * `@conclave/core/crypto/secret/node`; the structs themselves are `@conclave/core/wire`.
 */
export { type Bytes, utf8 } from '../codec/bytes.ts'
export { ConclaveError } from '../error.ts'
export {
  ContentType,
  CredentialType,
  ExtensionType,
  ProposalType,
  ResumptionPskUsage,
  SenderType,
} from '../wire/registry.ts'
export * from './bootstrap/index.ts'
export * from './group/index.ts'
export * from './public/index.ts'
