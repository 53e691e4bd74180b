import type { Bytes, Infer } from '@conclave/core/codec'
import type * as wire from '@conclave/core/wire'
import { ProposalType } from '@conclave/core/wire'
import fc from 'fast-check'

/** Values of RFC 9420's structs as TypeScript sees them: well-formed, but without any meaning. */

export const uint8 = fc.integer({ min: 0, max: 2 ** 8 - 1 })
export const uint16 = fc.integer({ min: 0, max: 2 ** 16 - 1 })
export const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 })
export const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
/** Up to a length whose header has two bytes. */
export const opaque: fc.Arbitrary<Bytes> = fc.uint8Array({ maxLength: 80 })
export const leafIndex = uint32 as fc.Arbitrary<wire.LeafIndex>

export function few<T>(items: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(items, { maxLength: 3 })
}

function maybe<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined })
}

export const extensions: fc.Arbitrary<wire.Extensions> = few(
  fc.record({ extensionType: uint16, extensionData: opaque }),
)

export const credential: fc.Arbitrary<wire.Credential> = fc.oneof(
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

export const capabilities: fc.Arbitrary<wire.Capabilities> = fc.record({
  versions: few(uint16),
  cipherSuites: few(uint16),
  extensions: few(uint16),
  proposals: few(uint16),
  credentials: few(uint16),
})

export const leafNodeContent: fc.Arbitrary<wire.LeafNodeContent> = fc
  .tuple(
    fc.record({
      encryptionKey: opaque,
      signatureKey: opaque,
      credential,
      capabilities,
      extensions,
    }),
    leafNodeOrigin,
  )
  .map(([fields, origin]) => ({ ...fields, ...origin }))

export const leafNode: fc.Arbitrary<wire.LeafNode> = fc
  .tuple(leafNodeContent, opaque)
  .map(([content, signature]) => ({ ...content, signature }))

export const placedLeafNode = fc
  .tuple(leafNodeContent, opaque, leafIndex)
  .map(([content, groupId, place]) => ({ ...content, groupId, leafIndex: place }))

export const parentNode: fc.Arbitrary<wire.ParentNode> = fc.record({
  encryptionKey: opaque,
  parentHash: opaque,
  unmergedLeaves: few(leafIndex),
})

export const node: fc.Arbitrary<wire.Node> = fc.oneof(
  fc.record({ nodeType: fc.constant(1 as const), leafNode }),
  fc.record({ nodeType: fc.constant(2 as const), parentNode }),
)

export const ratchetTree: fc.Arbitrary<wire.RatchetTree> = few(maybe(node))

export const treeHashInput: fc.Arbitrary<Infer<typeof wire.TreeHashInput>> = fc.oneof(
  fc.record({ nodeType: fc.constant(1 as const), leafIndex, leafNode: maybe(leafNode) }),
  fc.record({
    nodeType: fc.constant(2 as const),
    parentNode: maybe(parentNode),
    leftHash: opaque,
    rightHash: opaque,
  }),
)

export const parentHashInput = fc.record({
  encryptionKey: opaque,
  parentHash: opaque,
  originalSiblingTreeHash: opaque,
})

const keyPackageFields = {
  version: uint16,
  cipherSuite: uint16,
  initKey: opaque,
  leafNode,
  extensions,
}
export const keyPackageTbs: fc.Arbitrary<wire.KeyPackageTbs> = fc.record(keyPackageFields)
export const keyPackage: fc.Arbitrary<wire.KeyPackage> = fc.record({
  ...keyPackageFields,
  signature: opaque,
})

export const hpkeCiphertext: fc.Arbitrary<wire.HpkeCiphertext> = fc.record({
  kemOutput: opaque,
  ciphertext: opaque,
})

export const updatePathNode: fc.Arbitrary<wire.UpdatePathNode> = fc.record({
  encryptionKey: opaque,
  encryptedPathSecret: few(hpkeCiphertext),
})
export const updatePath: fc.Arbitrary<wire.UpdatePath> = fc.record({
  leafNode,
  nodes: few(updatePathNode),
})

export const preSharedKeyId: fc.Arbitrary<wire.PreSharedKeyId> = fc.oneof(
  fc.record({ pskType: fc.constant(1 as const), pskId: opaque, pskNonce: opaque }),
  fc.record({
    pskType: fc.constant(2 as const),
    usage: uint8,
    pskGroupId: opaque,
    pskEpoch: uint64,
    pskNonce: opaque,
  }),
)

const registeredTypes: ReadonlySet<number> = new Set(Object.values(ProposalType))

export const add = fc.record({ keyPackage })
export const update = fc.record({ leafNode })
export const remove: fc.Arbitrary<Infer<typeof wire.Remove>> = fc.record({ removed: leafIndex })
export const preSharedKey = fc.record({ psk: preSharedKeyId })
export const reInit = fc.record({
  groupId: opaque,
  version: uint16,
  cipherSuite: uint16,
  extensions,
})
export const externalInit = fc.record({ kemOutput: opaque })
export const groupContextExtensions = fc.record({ extensions })

export const proposal: fc.Arbitrary<wire.Proposal> = fc.oneof(
  add.map((body) => ({ proposalType: ProposalType.add, ...body })),
  update.map((body) => ({ proposalType: ProposalType.update, ...body })),
  remove.map((body) => ({ proposalType: ProposalType.remove, ...body })),
  preSharedKey.map((body) => ({ proposalType: ProposalType.psk, ...body })),
  reInit.map((body) => ({ proposalType: ProposalType.reInit, ...body })),
  externalInit.map((body) => ({ proposalType: ProposalType.externalInit, ...body })),
  groupContextExtensions.map((body) => ({
    proposalType: ProposalType.groupContextExtensions,
    ...body,
  })),
  fc.constant({ proposalType: ProposalType.selfRemove }),
  fc.record({
    proposalType: fc.constant(ProposalType.custom),
    customType: uint16.filter((type) => !registeredTypes.has(type)),
    proposalData: opaque,
  }),
)

export const proposalOrRef: fc.Arbitrary<wire.ProposalOrRef> = fc.oneof(
  fc.record({ type: fc.constant(1 as const), proposal }),
  fc.record({ type: fc.constant(2 as const), reference: opaque }),
)

export const commit: fc.Arbitrary<wire.Commit> = fc.record({
  proposals: few(proposalOrRef),
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

const groupInfoFields = { groupContext, extensions, confirmationTag: opaque, signer: leafIndex }
export const groupInfoTbs: fc.Arbitrary<wire.GroupInfoTbs> = fc.record(groupInfoFields)
export const groupInfo: fc.Arbitrary<wire.GroupInfo> = fc.record({
  ...groupInfoFields,
  signature: opaque,
})

export const groupSecrets: fc.Arbitrary<wire.GroupSecrets> = fc.record({
  joinerSecret: opaque,
  pathSecret: maybe(fc.record({ pathSecret: opaque })),
  psks: few(preSharedKeyId),
})

export const encryptedGroupSecrets: fc.Arbitrary<wire.EncryptedGroupSecrets> = fc.record({
  newMember: opaque,
  encryptedGroupSecrets: hpkeCiphertext,
})
export const welcome: fc.Arbitrary<wire.Welcome> = fc.record({
  cipherSuite: uint16,
  secrets: few(encryptedGroupSecrets),
  encryptedGroupInfo: opaque,
})

export const sender: fc.Arbitrary<wire.Sender> = fc.oneof(
  fc.record({ senderType: fc.constant(1 as const), leafIndex }),
  fc.record({ senderType: fc.constant(2 as const), senderIndex: uint32 }),
  fc.record({ senderType: fc.constant(3 as const) }),
  fc.record({ senderType: fc.constant(4 as const) }),
)

export const framedContent: fc.Arbitrary<wire.FramedContent> = fc
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

/** FramedContentTBS; senders outside the group sign no GroupContext, and none is read for them. */
export const framedContentTbs = fc
  .tuple(uint16, uint16, framedContent, groupContext)
  .map(([version, wireFormat, content, context]) => {
    const { senderType } = content.sender
    const signed = senderType === 1 || senderType === 4
    return (
      signed ? { version, wireFormat, content, context } : { version, wireFormat, content }
    ) as wire.FramedContentTbs
  })

export const authenticatedContentTbm = fc
  .tuple(framedContentTbs, opaque, opaque)
  .map(([contentTbs, signature, confirmationTag]) => ({
    contentTbs,
    auth: contentTbs.content.contentType === 3 ? { signature, confirmationTag } : { signature },
  }))

export const confirmedTranscriptHashInput = fc.record({
  wireFormat: uint16,
  content: framedContent,
  signature: opaque,
})

const signatureOnly = fc.record({ signature: opaque })
const signatureAndTag = fc.record({ signature: opaque, confirmationTag: opaque })
/** PrivateMessageContent of each content type. */
export const privateContents = {
  application: fc.record({
    contentType: fc.constant(1 as const),
    applicationData: opaque,
    auth: signatureOnly,
    padding: opaque,
  }),
  proposal: fc.record({
    contentType: fc.constant(2 as const),
    proposal,
    auth: signatureOnly,
    padding: opaque,
  }),
  commit: fc.record({
    contentType: fc.constant(3 as const),
    commit,
    auth: signatureAndTag,
    padding: opaque,
  }),
} satisfies Readonly<Record<string, fc.Arbitrary<wire.PrivateMessageContent>>>

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
