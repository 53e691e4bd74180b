export { CryptoError, type CryptoErrorCode } from '../cryptoError.ts'
export {
  type AeadName,
  type CipherSuite,
  cipherSuites,
  type HashName,
  type KemCurve,
  type NistCurve,
  type SignatureCurve,
} from './cipherSuite.ts'
export { isEncryptionKey } from './encryptionKey.ts'
export { noblePublicCrypto } from './noble.ts'
export type { Occurrence, PublicCrypto, PublicSuite, SignedBytes } from './publicSuite.ts'
export { makeKeyPackageRef, makeProposalRef, refHash } from './refHash.ts'
export { rememberingPublicCrypto } from './verifiedSignatures.ts'
export { signContent, verifyWithLabel } from './verifyWithLabel.ts'
export { webPublicCrypto } from './webCrypto.ts'
