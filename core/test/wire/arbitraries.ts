import type { Bytes } from '@conclave/core/codec'
import type * as wire from '@conclave/core/wire'
import fc from 'fast-check'

/** Values of RFC 9420's structs as TypeScript sees them: well-formed, but without any meaning. */

const uint8 = fc.integer({ min: 0, max: 2 ** 8 - 1 })
const uint16 = fc.integer({ min: 0, max: 2 ** 16 - 1 })
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
/** Up to a length whose header has two bytes. */
const opaque: fc.Arbitrary<Bytes> = fc.uint8Array({ maxLength: 80 })
const leafIndex = uint32 as fc.Arbitrary<wire.LeafIndex>

function few<T>(items: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(items, { maxLength: 3 })
}

function maybe<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined })
}

const extensions: fc.Arbitrary<wire.Extensions> = few(
  fc.record({ extensionType: uint16, extensionData: opaque }),
)

const credential: fc.Arbitrary<wire.Credential> = fc.oneof(
  fc.record({ credentialType: fc.constant(1 as const), identity: opaque }),
  fc.record({
    credentialType: fc.constant(2 as const),
    certificates: few(fc.record({ certData: opaque })),
  }),
)

const leafNodeOrigin: fc.Arbitrary<wire.LeafNodeOrigin> = fc.oneof(
  fc.record({
    leafNodeSource: fc.constant(1 as const),
    lifetime: fc.record({ notBefore: uint64, notAfter: uint64 }),
  }),
  fc.record({ leafNodeSource: fc.constant(2 as const) }),
  fc.record({ leafNodeSource: fc.constant(3 as const), parentHash: opaque }),
)

const leafNode: fc.Arbitrary<wire.LeafNode> = fc
  .tuple(
    fc.record({
      encryptionKey: opaque,
      signatureKey: opaque,
      credential,
      capabilities: fc.record({
        versions: few(uint16),
        cipherSuites: few(uint16),
        extensions: few(uint16),
        proposals: few(uint16),
        credentials: few(uint16),
      }),
      extensions,
      signature: opaque,
    }),
    leafNodeOrigin,
  )
  .map(([fields, origin]) => ({ ...fields, ...origin }))

const parentNode: fc.Arbitrary<wire.ParentNode> = fc.record({
  encryptionKey: opaque,
  parentHash: opaque,
  unmergedLeaves: few(leafIndex),
})

export const ratchetTree: fc.Arbitrary<wire.RatchetTree> = few(
  maybe(
    fc.oneof(
      fc.record({ nodeType: fc.constant(1 as const), leafNode }),
      fc.record({ nodeType: fc.constant(2 as const), parentNode }),
    ),
  ),
)

export const keyPackage: fc.Arbitrary<wire.KeyPackage> = fc.record({
  version: uint16,
  cipherSuite: uint16,
  initKey: opaque,
  leafNode,
  extensions,
  signature: opaque,
})

const hpkeCiphertext: fc.Arbitrary<wire.HpkeCiphertext> = fc.record({
  kemOutput: opaque,
  ciphertext: opaque,
})

export const updatePath: fc.Arbitrary<wire.UpdatePath> = fc.record({
  leafNode,
  nodes: few(fc.record({ encryptionKey: opaque, encryptedPathSecret: few(hpkeCiphertext) })),
})

const preSharedKeyId: fc.Arbitrary<wire.PreSharedKeyId> = fc.oneof(
  fc.record({ pskType: fc.constant(1 as const), pskId: opaque, pskNonce: opaque }),
  fc.record({
    pskType: fc.constant(2 as const),
    usage: uint8,
    pskGroupId: opaque,
    pskEpoch: uint64,
    pskNonce: opaque,
  }),
)

const proposal: fc.Arbitrary<wire.Proposal> = fc.oneof(
  fc.record({ proposalType: fc.constant(1 as const), keyPackage }),
  fc.record({ proposalType: fc.constant(2 as const), leafNode }),
  fc.record({ proposalType: fc.constant(3 as const), removed: leafIndex }),
  fc.record({ proposalType: fc.constant(4 as const), psk: preSharedKeyId }),
  fc.record({
    proposalType: fc.constant(5 as const),
    groupId: opaque,
    version: uint16,
    cipherSuite: uint16,
    extensions,
  }),
  fc.record({ proposalType: fc.constant(6 as const), kemOutput: opaque }),
  fc.record({ proposalType: fc.constant(7 as const), extensions }),
  fc.record({ proposalType: fc.constant(10 as const) }),
)

export const commit: fc.Arbitrary<wire.Commit> = fc.record({
  proposals: few(
    fc.oneof(
      fc.record({ type: fc.constant(1 as const), proposal }),
      fc.record({ type: fc.constant(2 as const), reference: opaque }),
    ),
  ),
  path: maybe(updatePath),
})

export const groupContext: fc.Arbitrary<wire.GroupContext> = fc.record({
  version: uint16,
  cipherSuite: uint16,
  groupId: opaque,
  epoch: uint64,
  treeHash: opaque,
  confirmedTranscriptHash: opaque,
  extensions,
})

export const groupInfo: fc.Arbitrary<wire.GroupInfo> = fc.record({
  groupContext,
  extensions,
  confirmationTag: opaque,
  signer: leafIndex,
  signature: opaque,
})

export const groupSecrets: fc.Arbitrary<wire.GroupSecrets> = fc.record({
  joinerSecret: opaque,
  pathSecret: maybe(fc.record({ pathSecret: opaque })),
  psks: few(preSharedKeyId),
})

export const welcome: fc.Arbitrary<wire.Welcome> = fc.record({
  cipherSuite: uint16,
  secrets: few(fc.record({ newMember: opaque, encryptedGroupSecrets: hpkeCiphertext })),
  encryptedGroupInfo: opaque,
})

const sender: fc.Arbitrary<wire.Sender> = fc.oneof(
  fc.record({ senderType: fc.constant(1 as const), leafIndex }),
  fc.record({ senderType: fc.constant(2 as const), senderIndex: uint32 }),
  fc.record({ senderType: fc.constant(3 as const) }),
  fc.record({ senderType: fc.constant(4 as const) }),
)

const framedContent: fc.Arbitrary<wire.FramedContent> = fc
  .tuple(
    fc.record({ groupId: opaque, epoch: uint64, sender, authenticatedData: opaque }),
    fc.oneof(
      fc.record({ contentType: fc.constant(1 as const), applicationData: opaque }),
      fc.record({ contentType: fc.constant(2 as const), proposal }),
      fc.record({ contentType: fc.constant(3 as const), commit }),
    ),
  )
  .map(([head, body]) => ({ ...head, ...body }))

export const authenticatedContent: fc.Arbitrary<wire.AuthenticatedContent> = fc
  .tuple(uint16, framedContent, opaque, opaque)
  .map(([wireFormat, content, signature, confirmationTag]) => ({
    wireFormat,
    content,
    auth: content.contentType === 3 ? { signature, confirmationTag } : { signature },
  }))

export const publicMessage: fc.Arbitrary<wire.PublicMessage> = fc
  .tuple(authenticatedContent, opaque)
  .map(([{ content, auth }, membershipTag]) =>
    content.sender.senderType === 1 ? { content, auth, membershipTag } : { content, auth },
  )

export const privateMessage: fc.Arbitrary<wire.PrivateMessage> = fc.record({
  groupId: opaque,
  epoch: uint64,
  contentType: fc.constantFrom(1 as const, 2 as const, 3 as const),
  authenticatedData: opaque,
  encryptedSenderData: opaque,
  ciphertext: opaque,
})

const version = fc.constant(1 as const)
export const mlsMessage: fc.Arbitrary<wire.MlsMessage> = fc.oneof(
  fc.record({ version, wireFormat: fc.constant(1 as const), publicMessage }),
  fc.record({ version, wireFormat: fc.constant(2 as const), privateMessage }),
  fc.record({ version, wireFormat: fc.constant(3 as const), welcome }),
  fc.record({ version, wireFormat: fc.constant(4 as const), groupInfo }),
  fc.record({ version, wireFormat: fc.constant(5 as const), keyPackage }),
)
