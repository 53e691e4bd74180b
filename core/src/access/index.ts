/**
 * Access tokens: who may connect to the servers. The app's backend mints them, keyserver and SFU
 * verify them. They give no key: what admits to a group's content is MLS alone.
 */
export {
  type AccessClaims,
  ANY_MEETING,
  type Grant,
  type Grants,
  MAX_NAME_LENGTH,
  requireGrant,
  requireMeeting,
} from './accessClaims.ts'
export { AccessError, type AccessErrorCode } from './accessError.ts'
export { HmacAccessKey, MIN_SECRET_BYTES, type SigningKey, type VerifyingKey } from './accessKey.ts'
export { type AccessKeyTexts, readAccessKeys } from './accessKeyTexts.ts'
export { type JsonWebKey, PrivateAccessKey, PublicAccessKey } from './asymmetricKey.ts'
export { type FetchKeys, type JsonWebKeySet, RemoteKeySet } from './keySet.ts'
export { isLoopbackHost } from './loopback.ts'
export { mintToken, type TokenRequest } from './mintToken.ts'
export { type Access, type AccessKeys, type Mint, resolveAccess } from './resolveAccess.ts'
export { parseServerUrl, type ServerEndpoint } from './serverUrl.ts'
export {
  CLOCK_TOLERANCE_SECONDS,
  createTokenVerifier,
  MAX_TOKEN_LENGTH,
  type TokenVerifier,
} from './tokenVerifier.ts'
