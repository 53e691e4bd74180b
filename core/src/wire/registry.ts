/** Code points of RFC 9420 §17 and of the extensions draft, under the names of their registries. */

export const ProtocolVersion = { mls10: 1 } as const

export const WireFormat = {
  publicMessage: 1,
  privateMessage: 2,
  welcome: 3,
  groupInfo: 4,
  keyPackage: 5,
} as const

export const ContentType = { application: 1, proposal: 2, commit: 3 } as const
export type ContentType = (typeof ContentType)[keyof typeof ContentType]

export const SenderType = {
  member: 1,
  external: 2,
  newMemberProposal: 3,
  newMemberCommit: 4,
} as const
export type SenderType = (typeof SenderType)[keyof typeof SenderType]

export const ProposalType = {
  add: 1,
  update: 2,
  remove: 3,
  psk: 4,
  reInit: 5,
  externalInit: 6,
  groupContextExtensions: 7,
  /** draft-ietf-mls-extensions, "SelfRemove Proposal" */
  selfRemove: 0x000a,
  /**
   * Not a code point, which are uint16s: stands for every type that the RFC leaves to applications.
   * `CustomProposal.customType` is the code point.
   */
  custom: 0x10000,
} as const

export const ProposalOrRefType = { proposal: 1, reference: 2 } as const

export const ExtensionType = {
  applicationId: 1,
  ratchetTree: 2,
  requiredCapabilities: 3,
  externalPub: 4,
  externalSenders: 5,
  /** draft-ietf-mls-extensions, "MLS Extension Types" */
  appDataDictionary: 6,
  supportedWireFormats: 7,
  requiredWireFormats: 8,
} as const

/** draft-ietf-mls-extensions, "MLS Component Types"; an application's own are from 0x8000. */
export const ComponentType = {
  appComponents: 1,
  safeAad: 2,
  contentMediaTypes: 3,
  lastResortKeyPackage: 4,
  appAck: 5,
} as const

export const CredentialType = { basic: 1, x509: 2 } as const

export const LeafNodeSource = { keyPackage: 1, update: 2, commit: 3 } as const

export const NodeType = { leaf: 1, parent: 2 } as const

/** `application` is of draft-ietf-mls-extensions, "Pre-Shared Keys (PSKs)". */
export const PskType = { external: 1, resumption: 2, application: 3 } as const

export const ResumptionPskUsage = { application: 1, reInit: 2, branch: 3 } as const

/** §17.1. Which suites an implementation offers is for `crypto/public/cipherSuite.ts` to say. */
export const CipherSuiteId = {
  MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519: 1,
  MLS_128_DHKEMP256_AES128GCM_SHA256_P256: 2,
  MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519: 3,
  MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448: 4,
  MLS_256_DHKEMP521_AES256GCM_SHA512_P521: 5,
  MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448: 6,
  MLS_256_DHKEMP384_AES256GCM_SHA384_P384: 7,
} as const
export type CipherSuiteId = (typeof CipherSuiteId)[keyof typeof CipherSuiteId]
