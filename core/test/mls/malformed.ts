import { type Bytes, emptyBytes } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import {
  encryptWithLabel,
  Secret,
  type SecretSuite,
  type Signer,
  signWithLabel,
} from '../../src/crypto/secret/index.ts'
import { signGroupInfo } from '../../src/mls/bootstrap/groupInfo.ts'
import {
  leafContent,
  type OwnLeaf,
  signLeafNode,
} from '../../src/mls/bootstrap/keyPackageBundle.ts'
import { sealWelcome } from '../../src/mls/bootstrap/welcome.ts'
import type { Epoch } from '../../src/mls/group/epoch.ts'
import type { Group } from '../../src/mls/group/index.ts'
import { restoreEpoch } from '../../src/mls/group/state.ts'
import { applyProposals } from '../../src/mls/public/applyProposals.ts'
import { framedContentLabel, framedContentTbs } from '../../src/mls/public/contentSignature.ts'
import { keyPackageLabel } from '../../src/mls/public/keyPackage.ts'
import { sealTargets } from '../../src/mls/public/publicPath.ts'
import { confirmedTranscriptHash } from '../../src/mls/public/transcript.ts'
import { membershipTag } from '../../src/mls/treedem/publicMessage.ts'
import {
  confirmationTag,
  deriveEpochSecrets,
  deriveJoinerSecret,
  deriveMemberSecret,
} from '../../src/mls/treekem/keySchedule.ts'
import { createPath } from '../../src/mls/treekem/updatePath.ts'
import type { PathStep, PublicTree } from '../../src/mls/treesync/publicTree.ts'
import {
  type FramedContent,
  type FramedContentAuthData,
  FramedContentTbs,
  GroupContext,
  type GroupInfo,
  type KeyPackage,
  KeyPackageTbs,
  type LeafIndex,
  type LeafNode,
  type LeafNodeContent,
  MlsMessage,
  type Proposal,
  type ProposalOrRef,
  type Sender,
  type UpdatePath,
  type Welcome,
} from '../../src/wire/index.ts'
import {
  ContentType,
  LeafNodeSource,
  ProposalOrRefType,
  ProposalType,
  SenderType,
  WireFormat,
} from '../../src/wire/registry.ts'
import type { Participant, Party } from './party.ts'
import { pskSecretOf, uncheckedProposals } from './uncheckedProposals.ts'

/*
 * What a member can send that writes its own software: messages that this implementation would
 * never make, signed with the member's real key and tagged with the epoch's real secrets, so that
 * exactly the rule under test stands between them and their effect.
 */

export type Change<T> = (value: T) => T

/** A member's whole state, as the member itself could read it. */
export async function epochOf(group: Group): Promise<Epoch> {
  const pending = await group.commit({ authenticatedData: emptyBytes })
  pending.discard()
  if (pending.previous === undefined) throw new Error('a member has an epoch')
  return pending.previous
}

/**
 * A copy of all that a member has, also where its group takes no more commits. What is done with it
 * leaves the member's own state as it was.
 */
export function copyOf({ environment }: Party, { person, group }: Participant): Epoch {
  return restoreEpoch(environment, group.encodeState().expose(), person.own.signer)
}

const newMemberCommit: Sender = { senderType: SenderType.newMemberCommit }

export function byValue(proposal: Proposal): ProposalOrRef {
  return { type: ProposalOrRefType.proposal, proposal }
}

export function byReference(reference: Bytes): ProposalOrRef {
  return { type: ProposalOrRefType.reference, reference }
}

/** Flips one bit. */
export function touched(bytes: Bytes): Bytes {
  return bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte))
}

export interface Framing {
  readonly signer?: Signer
  /** What is signed; the message then carries `content` nevertheless. */
  readonly signed?: Change<FramedContent>
  readonly auth?: Change<FramedContentAuthData>
  readonly membershipTag?: Change<Bytes>
}

/** An MLSMessage with `content` in a PublicMessage, signed and tagged in this epoch. */
export async function frame(
  epoch: Epoch,
  content: FramedContent,
  confirmationTag?: Bytes,
  { signer = epoch.signer, signed, auth: changeAuth, membershipTag: changeTag }: Framing = {},
): Promise<Bytes> {
  const { groupContext } = epoch.public
  const wireFormat = WireFormat.publicMessage
  const tbs = framedContentTbs(wireFormat, signed?.(content) ?? content, groupContext)
  const signature = await signWithLabel(signer, framedContentLabel, encode(FramedContentTbs, tbs))
  const plain = confirmationTag === undefined ? { signature } : { signature, confirmationTag }
  const auth = changeAuth?.(plain) ?? plain
  const tag = membershipTag(
    epoch.crypto,
    epoch.secrets.membershipKey,
    { wireFormat, content, auth },
    groupContext,
  )
  const isMember = content.sender.senderType === SenderType.member
  const publicMessage = {
    content,
    auth,
    ...(isMember ? { membershipTag: changeTag?.(tag) ?? tag } : {}),
  }
  return encode(MlsMessage, { version: 1, wireFormat, publicMessage })
}

export function memberOf({ leafIndex }: Epoch): Sender {
  return { senderType: SenderType.member, leafIndex }
}

export function contentOf(epoch: Epoch, sender: Sender = memberOf(epoch)) {
  const { groupId, epoch: number } = epoch.public.groupContext
  return { groupId, epoch: number, sender, authenticatedData: emptyBytes }
}

/** A proposal as its own message. */
export function frameProposal(
  epoch: Epoch,
  proposal: Proposal,
  { sender = memberOf(epoch), ...framing }: Framing & { readonly sender?: Sender } = {},
): Promise<Bytes> {
  const content: FramedContent = {
    ...contentOf(epoch, sender),
    contentType: ContentType.proposal,
    proposal,
  }
  return frame(epoch, content, undefined, framing)
}

export interface CommitPlan extends Framing {
  readonly proposals?: readonly ProposalOrRef[]
  /** The committer's new leaf before it is signed. */
  readonly leaf?: Change<LeafNodeContent>
  readonly leafSigner?: Signer
  readonly leafPosition?: LeafIndex
  /** After everything in it was made; what the path says is what the tree becomes. */
  readonly path?: (path: UpdatePath) => UpdatePath | undefined
  readonly content?: Change<FramedContent>
  /** What is sealed in the path instead of the secret of each step. */
  readonly pathSecret?: (step: number) => Secret
  /** The context that path secrets are sealed under. */
  readonly provisional?: Change<GroupContext>
  readonly psks?: ReadonlyMap<string, Secret>
  /** The committer is nobody's leaf yet, and would enter with this one. */
  readonly newcomer?: OwnLeaf
}

export interface ForgedCommit {
  readonly message: Bytes
  readonly context: GroupContext
  readonly tree: PublicTree
  readonly confirmationTag: Bytes
  /** What an honest committer uploads beside the commit. */
  readonly groupInfo: GroupInfo
  readonly welcome: Welcome | undefined
}

/**
 * RFC 9420 §12.4.1 without any of its checks: whatever the proposals are, they are applied, and
 * path, transcript and key schedule follow from them.
 */
export async function forgeCommit(epoch: Epoch, plan: CommitPlan = {}): Promise<ForgedCommit> {
  const { crypto, secrets } = epoch
  const { groupContext, tree: before, interimTranscriptHash } = epoch.public
  const entries = plan.proposals ?? []
  const { newcomer } = plan
  const sender = newcomer === undefined ? memberOf(epoch) : newMemberCommit
  const list = uncheckedProposals(epoch.public, entries, epoch.leafIndex, sender)
  const applied = applyProposals(before, groupContext.extensions, list)
  const { tree: treeBeforePath, leafIndex } =
    newcomer === undefined
      ? { tree: applied.tree, leafIndex: epoch.leafIndex }
      : applied.tree.withFreeLeaf()
  const { extensions } = applied
  const next: GroupContext = { ...groupContext, epoch: groupContext.epoch + 1n, extensions }
  const added = applied.added.map((member) => member.leafIndex)
  let provisional = next
  const created = await createPath(crypto, {
    tree: treeBeforePath,
    leafIndex,
    added,
    makeLeaf: (encryptionKey, parentHash) => {
      const leaf: LeafNodeContent = {
        ...(newcomer === undefined
          ? (before.leafNode(leafIndex) as LeafNode)
          : leafContent(newcomer, encryptionKey)),
        encryptionKey,
        leafNodeSource: LeafNodeSource.commit,
        parentHash,
      }
      return signLeafNode(plan.leafSigner ?? epoch.signer, plan.leaf?.(leaf) ?? leaf, {
        groupId: groupContext.groupId,
        leafIndex: plan.leafPosition ?? leafIndex,
      })
    },
    contextOf: (merged) => {
      const honest = { ...next, treeHash: merged.treeHash(crypto) }
      provisional = plan.provisional?.(honest) ?? honest
      return provisional
    },
  })
  const sealed = await resealed(
    crypto,
    created.path,
    treeBeforePath.filteredDirectPath(leafIndex),
    {
      added,
      provisional,
      secretOf: plan.pathSecret,
    },
  )
  const path = plan.path === undefined ? sealed : plan.path(sealed)
  const tree = path === undefined ? treeBeforePath : created.tree
  const honest: FramedContent = {
    ...contentOf(epoch, sender),
    contentType: ContentType.commit,
    commit: { proposals: entries, path },
  }
  const content = plan.content?.(honest) ?? honest
  const signed = plan.signed?.(content) ?? content
  const wireFormat = WireFormat.publicMessage
  const signature = await signWithLabel(
    plan.signer ?? epoch.signer,
    framedContentLabel,
    encode(FramedContentTbs, framedContentTbs(wireFormat, signed, groupContext)),
  )
  const context: GroupContext = {
    ...next,
    treeHash: tree.treeHash(crypto),
    confirmedTranscriptHash: confirmedTranscriptHash(crypto, interimTranscriptHash, {
      wireFormat,
      content,
      signature,
    }),
  }
  const commitSecret =
    path === undefined ? new Secret(new Uint8Array(crypto.suite.Nh)) : created.commitSecret
  const joinerSecret = deriveJoinerSecret(crypto, secrets.initSecret, commitSecret, context)
  const memberSecret = deriveMemberSecret(
    crypto,
    joinerSecret,
    pskSecretOf(crypto, list, plan.psks),
  )
  const nextSecrets = deriveEpochSecrets(crypto, memberSecret, context)
  const tag = confirmationTag(crypto, nextSecrets, context.confirmedTranscriptHash)
  const groupInfo = await signGroupInfo(epoch.signer, {
    groupContext: context,
    extensions: [],
    confirmationTag: tag,
    signer: leafIndex,
  })
  const newcomers = applied.added.map((member) => ({
    keyPackage: member.keyPackage,
    pathSecret: path === undefined ? undefined : created.pathSecretFor(member.leafIndex),
  }))
  return {
    message: await frame(epoch, content, tag, plan),
    context,
    tree,
    confirmationTag: tag,
    groupInfo,
    welcome:
      newcomers.length === 0
        ? undefined
        : await sealWelcome(
            crypto,
            newcomers,
            joinerSecret,
            memberSecret,
            list.preSharedKeys,
            groupInfo,
          ),
  }
}

async function resealed(
  crypto: SecretSuite,
  path: UpdatePath,
  steps: readonly PathStep[],
  {
    added,
    provisional,
    secretOf,
  }: {
    readonly added: readonly LeafIndex[]
    readonly provisional: GroupContext
    readonly secretOf: CommitPlan['pathSecret']
  },
): Promise<UpdatePath> {
  if (secretOf === undefined) return path
  const context = encode(GroupContext, provisional)
  const nodes = path.nodes.map(async ({ encryptionKey }, i) => ({
    encryptionKey,
    encryptedPathSecret: await Promise.all(
      sealTargets(steps[i] as PathStep, added).map((target) =>
        encryptWithLabel(
          crypto,
          target.encryptionKey as Bytes,
          'UpdatePathNode',
          context,
          secretOf(i).expose(),
        ),
      ),
    ),
  }))
  return { ...path, nodes: await Promise.all(nodes) }
}

/** An Update of the member's own leaf that says something else. */
export async function forgeUpdate(
  { crypto, leafIndex, public: { tree, groupContext }, signer }: Epoch,
  change: Change<LeafNodeContent> = (leaf) => leaf,
  position = leafIndex,
): Promise<Extract<Proposal, { proposalType: typeof ProposalType.update }>> {
  const seed = new Secret(crypto.random(crypto.suite.Nh))
  const { publicKey: encryptionKey } = await crypto.deriveKeyPair(seed)
  const leaf = change({
    ...(tree.leafNode(leafIndex) as LeafNode),
    encryptionKey,
    leafNodeSource: LeafNodeSource.update,
  })
  const { groupId } = groupContext
  const leafNode = await signLeafNode(signer, leaf, { groupId, leafIndex: position })
  return { proposalType: ProposalType.update, leafNode }
}

/** A KeyPackage that says something else, with all its signatures made again. */
export async function forgeKeyPackage(
  signer: Signer,
  keyPackage: KeyPackage,
  {
    leaf,
    outside,
  }: { readonly leaf?: Change<LeafNodeContent>; readonly outside?: Change<KeyPackageTbs> },
): Promise<KeyPackage> {
  const leafNode = await signLeafNode(signer, leaf?.(keyPackage.leafNode) ?? keyPackage.leafNode)
  const plain: KeyPackageTbs = { ...keyPackage, leafNode }
  const content = outside?.(plain) ?? plain
  const signature = await signWithLabel(signer, keyPackageLabel, encode(KeyPackageTbs, content))
  return { ...content, signature }
}

/** A KeyPackage of somebody new, made as `forgeKeyPackage` says. */
export async function forgeNewcomer(
  party: Party,
  changes: Parameters<typeof forgeKeyPackage>[2],
): Promise<KeyPackage> {
  const person = await party.person('erin')
  const { keyPackage } = await party.keyPackage(person)
  return forgeKeyPackage(person.own.signer, keyPackage, changes)
}
