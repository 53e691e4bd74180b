import type { Codec } from '@conclave/core/codec'
import * as wire from '@conclave/core/wire'
import fc from 'fast-check'
import * as any from './arbitraries.ts'

/** A struct of RFC 9420, and values of it. */
export interface Struct {
  readonly name: string
  readonly codec: Codec<unknown>
  readonly values: fc.Arbitrary<unknown>
}

function struct<T>(name: string, codec: Codec<T>, values: fc.Arbitrary<T>): Struct {
  return { name, codec, values }
}

const label = { label: any.opaque }

/** Every struct that core/src/wire declares. */
export const structs: readonly Struct[] = [
  struct('Credential', wire.Credential, any.credential),
  struct(
    'Extension',
    wire.Extension,
    fc.record({ extensionType: any.uint16, extensionData: any.opaque }),
  ),
  struct('Extensions', wire.Extensions, any.extensions),
  struct(
    'RequiredCapabilities',
    wire.RequiredCapabilities,
    fc.record({
      extensionTypes: any.few(any.uint16),
      proposalTypes: any.few(any.uint16),
      credentialTypes: any.few(any.uint16),
    }),
  ),
  struct('ExternalSender', wire.ExternalSender, externalSender()),
  struct('ExternalSenders', wire.ExternalSenders, any.few(externalSender())),
  struct('ExternalPub', wire.ExternalPub, fc.record({ externalPub: any.opaque })),

  struct('Sender', wire.Sender, any.sender),
  struct('FramedContent', wire.FramedContent, any.framedContent),
  struct('FramedContentTBS', wire.FramedContentTbs, any.framedContentTbs),
  struct('AuthenticatedContent', wire.AuthenticatedContent, any.authenticatedContent),
  struct('AuthenticatedContentTBM', wire.AuthenticatedContentTbm, any.authenticatedContentTbm),
  struct('PublicMessage', wire.PublicMessage, any.publicMessage),
  struct('PrivateMessage', wire.PrivateMessage, any.privateMessage),
  struct(
    'PrivateMessageContent with application data',
    wire.privateMessageContent(wire.ContentType.application),
    any.privateContents.application,
  ),
  struct(
    'PrivateMessageContent with a proposal',
    wire.privateMessageContent(wire.ContentType.proposal),
    any.privateContents.proposal,
  ),
  struct(
    'PrivateMessageContent with a commit',
    wire.privateMessageContent(wire.ContentType.commit),
    any.privateContents.commit,
  ),
  struct(
    'PrivateContentAAD',
    wire.PrivateContentAad,
    fc.record({
      groupId: any.opaque,
      epoch: any.uint64,
      contentType: any.uint8,
      authenticatedData: any.opaque,
    }),
  ),
  struct(
    'SenderData',
    wire.SenderData,
    fc.record({
      leafIndex: any.leafIndex,
      generation: any.uint32,
      reuseGuard: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    }),
  ),
  struct(
    'SenderDataAAD',
    wire.SenderDataAad,
    fc.record({ groupId: any.opaque, epoch: any.uint64, contentType: any.uint8 }),
  ),
  struct('MLSMessage', wire.MlsMessage, any.mlsMessage),

  struct('leaf index', wire.LeafIndex, any.leafIndex),
  struct('ParentNode', wire.ParentNode, any.parentNode),
  struct('Capabilities', wire.Capabilities, any.capabilities),
  struct('Lifetime', wire.Lifetime, fc.record({ notBefore: any.uint64, notAfter: any.uint64 })),
  struct('LeafNode', wire.LeafNode, any.leafNode),
  struct(
    'place of a LeafNodeTBS',
    wire.LeafNodePosition,
    fc.record({ groupId: any.opaque, leafIndex: any.leafIndex }),
  ),
  struct('LeafNodeTBS without a place', wire.UnplacedLeafNodeTbs, any.leafNodeContent),
  struct('LeafNodeTBS with its place', wire.PlacedLeafNodeTbs, any.placedLeafNode),
  struct('HPKECiphertext', wire.HpkeCiphertext, any.hpkeCiphertext),
  struct('UpdatePathNode', wire.UpdatePathNode, any.updatePathNode),
  struct('UpdatePath', wire.UpdatePath, any.updatePath),
  struct('TreeHashInput', wire.TreeHashInput, any.treeHashInput),
  struct('ParentHashInput', wire.ParentHashInput, any.parentHashInput),
  struct('Node', wire.Node, any.node),
  struct('RatchetTree', wire.RatchetTree, any.ratchetTree),

  struct('GroupContext', wire.GroupContext, any.groupContext),
  struct(
    'ConfirmedTranscriptHashInput',
    wire.ConfirmedTranscriptHashInput,
    any.confirmedTranscriptHashInput,
  ),
  struct(
    'InterimTranscriptHashInput',
    wire.InterimTranscriptHashInput,
    fc.record({ confirmationTag: any.opaque }),
  ),

  struct('KeyPackageTBS', wire.KeyPackageTbs, any.keyPackageTbs),
  struct('KeyPackage', wire.KeyPackage, any.keyPackage),

  struct('PreSharedKeyID', wire.PreSharedKeyId, any.preSharedKeyId),
  struct('Add', wire.Add, any.add),
  struct('Update', wire.Update, any.update),
  struct('Remove', wire.Remove, any.remove),
  struct('PreSharedKey', wire.PreSharedKey, any.preSharedKey),
  struct('ReInit', wire.ReInit, any.reInit),
  struct('ExternalInit', wire.ExternalInit, any.externalInit),
  struct('GroupContextExtensions', wire.GroupContextExtensions, any.groupContextExtensions),
  struct('Proposal', wire.Proposal, any.proposal),
  struct('ProposalOrRef', wire.ProposalOrRef, any.proposalOrRef),
  struct('Commit', wire.Commit, any.commit),

  struct('GroupInfoTBS', wire.GroupInfoTbs, any.groupInfoTbs),
  struct('GroupInfo', wire.GroupInfo, any.groupInfo),
  struct('GroupSecrets', wire.GroupSecrets, any.groupSecrets),
  struct('EncryptedGroupSecrets', wire.EncryptedGroupSecrets, any.encryptedGroupSecrets),
  struct('Welcome', wire.Welcome, any.welcome),

  struct('SignContent', wire.SignContent, fc.record({ ...label, content: any.opaque })),
  struct('EncryptContext', wire.EncryptContext, fc.record({ ...label, context: any.opaque })),
  struct('RefHashInput', wire.RefHashInput, fc.record({ ...label, value: any.opaque })),
  struct(
    'KDFLabel',
    wire.KdfLabel,
    fc.record({ length: any.uint16, ...label, context: any.opaque }),
  ),
  struct(
    'PSKLabel',
    wire.PskLabel,
    fc.record({ id: any.preSharedKeyId, index: any.uint16, count: any.uint16 }),
  ),
  struct(
    'context of DeriveTreeSecret',
    wire.TreeSecretContext,
    fc.record({ generation: any.uint32 }),
  ),
]

function externalSender(): fc.Arbitrary<wire.ExternalSender> {
  return fc.record({ signatureKey: any.opaque, credential: any.credential })
}

/** The struct of that name. */
export function structNamed(name: string): Struct {
  const found = structs.find((struct) => struct.name === name)
  if (found === undefined) throw new TypeError(`no struct ${name}`)
  return found
}
