import { type Bytes, emptyBytes, equalBytes, fromHex, toHex } from '../../codec/bytes.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import { makeKeyPackageRef, makeProposalRef } from '../../crypto/public/refHash.ts'
import type { AuthenticatedContent, PublicMessage, Sender } from '../../wire/framing.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import type { LeafIndex, RatchetTree } from '../../wire/ratchetTree.ts'
import {
  ContentType,
  ProposalOrRefType,
  ProposalType,
  SenderType,
  WireFormat,
} from '../../wire/registry.ts'
import type { GroupInfo, Welcome } from '../../wire/welcome.ts'
import { MlsError } from '../mlsError.ts'
import { checkExtensions } from '../treesync/extensions.ts'
import { checkLeafNode, verifyLeafNodeSignatures } from '../treesync/leafNode.ts'
import type { PublicTree } from '../treesync/publicTree.ts'
import { checkMembers, validateTree, validateUnverifiedTree } from '../treesync/treeValidation.ts'
import { checkEach } from './checkEach.ts'
import { checkGroupAndEpoch, verifyContentSignature } from './contentSignature.ts'
import { describedGroup, judgeMembers, publicSuiteOf } from './describedGroup.ts'
import { EpochProposals } from './epochProposals.ts'
import { judgeExternalSenders, leafRequirements } from './groupExtensions.ts'
import type { PublicEnvironment } from './policy.ts'
import { checkProposal } from './proposal.ts'
import { type ReInitProposal, resolveProposals, type SourcedProposal } from './proposalList.ts'
import { checkClientsOnce, sortProposals } from './proposalRules.ts'
import {
  type CommitEffect,
  checkGroupInfo,
  checkMembersAfter,
  checkWelcome,
  committedContext,
  effectOf,
  judgeNewSenders,
  mergeReceivedPath,
  prepareCommit,
} from './publicCommit.ts'
import type { PublicGroupState } from './publicGroupState.ts'
import { interimTranscriptHash } from './transcript.ts'

/**
 * Proposals of one sender that are remembered in an epoch. Each sender has a share of its own, and
 * each member another for its SelfRemoves, so that nothing keeps a removal out; joiners that propose
 * themselves share one.
 */
const maxProposals: Readonly<Record<Sender['senderType'], number>> = {
  [SenderType.member]: 16,
  // Room for the removal of every leaf, twice.
  [SenderType.external]: 2048,
  [SenderType.newMemberProposal]: 64,
  [SenderType.newMemberCommit]: 0,
}

/** What a valid commit has led to, as far as it shows without secrets. */
export interface AcceptedCommit {
  readonly group: PublicGroup
  readonly committer: LeafIndex
  readonly added: readonly { readonly leafIndex: LeafIndex; readonly keyPackageRef: Bytes }[]
  readonly removed: readonly LeafIndex[]
}

/** A group whose leaves nobody has verified yet. */
export interface UnverifiedGroup {
  readonly group: PublicGroup
  /** @throws MlsError `leaf-signature-invalid`, or what the policy throws */
  verifyLeaves(): Promise<void>
}

interface PublicState {
  readonly environment: PublicEnvironment
  readonly crypto: PublicSuite
  readonly groupContext: GroupContext
  readonly tree: PublicTree
  readonly interimTranscriptHash: Bytes
  readonly proposals: EpochProposals
  readonly reInit: ReInitProposal | undefined
}

/**
 * One epoch of a group as anybody can see it who follows its public messages: what a delivery
 * service checks, and the public half of what a member knows. Immutable: each accepted message
 * gives another PublicGroup, and a refused one changes nothing.
 */
export class PublicGroup {
  readonly #state: PublicState

  private constructor(state: PublicState) {
    this.#state = state
  }

  get environment(): PublicEnvironment {
    return this.#state.environment
  }
  get crypto(): PublicSuite {
    return this.#state.crypto
  }
  get groupContext(): GroupContext {
    return this.#state.groupContext
  }
  get tree(): PublicTree {
    return this.#state.tree
  }
  get interimTranscriptHash(): Bytes {
    return this.#state.interimTranscriptHash
  }
  /** This epoch's proposals by the hexadecimal form of their ProposalRef. */
  get proposals(): ReadonlyMap<string, SourcedProposal> {
    return this.#state.proposals
  }

  /** §11.2: what the group is to be founded anew as; it takes no handshake messages any more. */
  get reInit(): ReInitProposal | undefined {
    return this.#state.reInit
  }

  /** Leaves that a proposal of this epoch would remove. */
  get pendingRemovals(): ReadonlySet<LeafIndex> {
    const leaves = new Set<LeafIndex>()
    for (const { proposal, sender } of this.proposals.values()) {
      if (proposal.proposalType === ProposalType.remove) leaves.add(proposal.removed)
      if (
        proposal.proposalType === ProposalType.selfRemove &&
        sender.senderType === SenderType.member
      ) {
        leaves.add(sender.leafIndex)
      }
    }
    return leaves
  }

  /** References of this epoch's SelfRemoves by leaf, the first of each; a newcomer commits with them too. */
  get selfRemoves(): ReadonlyMap<LeafIndex, Bytes> {
    const refs = new Map<LeafIndex, Bytes>()
    for (const [ref, { proposal, sender }] of this.proposals) {
      const leaves = proposal.proposalType === ProposalType.selfRemove
      if (!leaves || sender.senderType !== SenderType.member || refs.has(sender.leafIndex)) continue
      refs.set(sender.leafIndex, fromHex(ref))
    }
    return refs
  }

  /** An epoch in which nothing has been proposed yet. */
  static #beginning(
    state: Omit<PublicState, 'interimTranscriptHash' | 'proposals' | 'reInit'>,
    confirmationTag: Bytes,
    reInit?: ReInitProposal,
  ): PublicGroup {
    const { crypto, groupContext } = state
    return new PublicGroup({
      ...state,
      interimTranscriptHash: interimTranscriptHash(
        crypto,
        groupContext.confirmedTranscriptHash,
        confirmationTag,
      ),
      proposals: EpochProposals.of(),
      reInit,
    })
  }

  /**
   * The group that a GroupInfo and its tree describe, all of it verified (RFC 9420 §12.4.3.1).
   * @throws MlsError, or what the policy throws
   */
  static async open(
    environment: PublicEnvironment,
    groupInfo: GroupInfo,
    ratchetTree: RatchetTree,
  ): Promise<PublicGroup> {
    const { groupContext } = groupInfo
    const { crypto, tree } = await describedGroup(environment, groupInfo, ratchetTree)
    const requirements = leafRequirements(groupContext)
    const members = await validateTree(crypto, tree, groupContext.groupId, requirements)
    await judgeMembers(environment, crypto, groupContext, members)
    return PublicGroup.#opened(environment, crypto, groupInfo, tree)
  }

  /**
   * `open`, with the checks that take time for each leaf left for later: the signatures of leaves,
   * and what the policy says of them.
   * @throws MlsError, or what the policy throws
   */
  static async openUnverified(
    environment: PublicEnvironment,
    groupInfo: GroupInfo,
    ratchetTree: RatchetTree,
  ): Promise<UnverifiedGroup> {
    const { groupContext } = groupInfo
    const { crypto, tree } = await describedGroup(environment, groupInfo, ratchetTree)
    const members = validateUnverifiedTree(crypto, tree, leafRequirements(groupContext))
    return {
      group: await PublicGroup.#opened(environment, crypto, groupInfo, tree),
      verifyLeaves: async () => {
        await verifyLeafNodeSignatures(crypto, members, groupContext.groupId)
        await judgeMembers(environment, crypto, groupContext, members)
      },
    }
  }

  static async #opened(
    environment: PublicEnvironment,
    crypto: PublicSuite,
    { groupContext, confirmationTag }: GroupInfo,
    tree: PublicTree,
  ): Promise<PublicGroup> {
    await judgeExternalSenders(environment, crypto, groupContext)
    return PublicGroup.#beginning({ environment, crypto, groupContext, tree }, confirmationTag)
  }

  /**
   * The group that `state` was taken of. It is trusted as one's own: nothing but the tree hash is
   * checked again.
   * @throws MlsError `suite-unsupported`, `tree-hash-mismatch`
   */
  static restore(environment: PublicEnvironment, state: PublicGroupState): PublicGroup {
    const { groupContext, tree, interimTranscriptHash, reInit } = state
    const crypto = publicSuiteOf(environment, groupContext)
    if (!equalBytes(tree.treeHash(crypto), groupContext.treeHash)) {
      throw new MlsError('tree-hash-mismatch', 'the tree is not the one of the group')
    }
    return new PublicGroup({
      environment,
      crypto,
      groupContext,
      tree,
      interimTranscriptHash,
      proposals: EpochProposals.of(
        state.proposals.map(({ ref, ...sourced }) => [toHex(ref), sourced]),
      ),
      reInit: reInit && { proposalType: ProposalType.reInit, ...reInit },
    })
  }

  /** What `restore` needs. */
  get state(): PublicGroupState {
    const { groupContext, tree, interimTranscriptHash, proposals, reInit } = this.#state
    return {
      groupContext,
      tree,
      interimTranscriptHash,
      proposals: Array.from(proposals, ([ref, { authenticatedData = emptyBytes, ...sourced }]) => ({
        ref: fromHex(ref),
        ...sourced,
        authenticatedData,
      })),
      reInit,
    }
  }

  /**
   * The group of a founder, who may not found one that nobody else could enter.
   * @throws MlsError, or what the policy throws
   */
  static async found(
    environment: PublicEnvironment,
    crypto: PublicSuite,
    groupContext: GroupContext,
    tree: PublicTree,
    confirmationTag: Bytes,
  ): Promise<PublicGroup> {
    checkExtensions(groupContext.extensions, 'group-context')
    environment.policy.checkGroup(groupContext, tree)
    const requirements = leafRequirements(groupContext)
    const members = tree.members()
    for (const { leafNode } of members) checkLeafNode(leafNode, requirements)
    checkMembers(tree, requirements)
    for (const { leafNode } of members) {
      await environment.policy.checkLeaf(crypto, leafNode, groupContext, undefined, 'sender')
    }
    await judgeExternalSenders(environment, crypto, groupContext)
    return PublicGroup.#beginning({ environment, crypto, groupContext, tree }, confirmationTag)
  }

  /**
   * A proposal that a later commit may name by reference.
   * @throws MlsError, or what the policy throws
   */
  async withProposal(message: PublicMessage): Promise<{ group: PublicGroup; ref: Bytes }> {
    const content = authenticated(message)
    await this.verifyFraming(content)
    return this.withVerifiedProposal(content)
  }

  /** `withProposal` for content whose framing has been verified. */
  async withVerifiedProposal(
    authenticatedContent: AuthenticatedContent,
  ): Promise<{ group: PublicGroup; ref: Bytes }> {
    const { content } = authenticatedContent
    if (content.contentType !== ContentType.proposal) {
      throw new MlsError('message-wire-format-unexpected', 'the message is not a proposal')
    }
    if (
      content.proposal.proposalType === ProposalType.selfRemove &&
      authenticatedContent.wireFormat !== WireFormat.publicMessage
    ) {
      // The extensions draft: newcomers have to be able to read it.
      throw new MlsError('message-wire-format-unexpected', 'a SelfRemove is a PublicMessage')
    }
    const { environment, crypto, groupContext, tree } = this.#state
    const ref = makeProposalRef(crypto, authenticatedContent)
    if (this.proposals.has(toHex(ref))) return { group: this, ref }
    const { proposal, sender, authenticatedData } = content
    const sourced: SourcedProposal = { proposal, sender, authenticatedData }
    const limit = maxProposals[sourced.sender.senderType]
    if (this.#state.proposals.inShareOf(sourced) >= limit) {
      throw new MlsError('proposals-too-many', `over ${limit} proposals of a sender in an epoch`)
    }
    await checkProposal(environment, crypto, sourced, groupContext, tree)
    environment.policy.checkReferable?.(sourced, tree, groupContext)
    const proposals = this.#state.proposals.with(toHex(ref), sourced)
    return { group: new PublicGroup({ ...this.#state, proposals }), ref }
  }

  /**
   * A commit with what its sender uploads beside it.
   * @throws MlsError, or what the policy throws
   */
  async withCommit(
    message: PublicMessage,
    groupInfo: GroupInfo,
    welcome?: Welcome,
  ): Promise<AcceptedCommit> {
    const content = authenticated(message)
    const { group, effect } = await this.#followed(content)
    const { crypto } = this.#state
    const tag = confirmationTag(content)
    await checkGroupInfo(crypto, groupInfo, group.groupContext, group.tree, tag)
    checkWelcome(crypto, welcome, effect.added)
    return acceptedCommit(crypto, group, effect)
  }

  /**
   * A commit of a log that its delivery service has lost and a member has given back, without what
   * its sender uploaded beside it.
   * @throws MlsError, or what the policy throws
   */
  async withReturnedCommit(message: PublicMessage): Promise<AcceptedCommit> {
    const { group, effect } = await this.#followed(authenticated(message))
    return acceptedCommit(this.crypto, group, effect)
  }

  async #followed(content: AuthenticatedContent) {
    await this.verifyFraming(content)
    const effect = await this.evaluateCommit(content)
    return { group: this.advance(effect, content), effect }
  }

  /**
   * RFC 9420 §6.1 for a handshake message of this epoch.
   * @throws MlsError `message-…`, `group-reinitialised`
   */
  async verifyFraming(content: AuthenticatedContent): Promise<void> {
    checkGroupAndEpoch(content.content, this.groupContext)
    if (this.reInit !== undefined) {
      throw new MlsError('group-reinitialised', 'the group is to be founded anew')
    }
    await verifyContentSignature(this.crypto, content, this.groupContext, this.tree)
  }

  /**
   * What a commit with verified framing would do. Changes nothing.
   * @throws MlsError, or what the policy throws
   */
  async evaluateCommit({ content }: AuthenticatedContent): Promise<CommitEffect> {
    if (content.contentType !== ContentType.commit) {
      throw new MlsError('message-wire-format-unexpected', 'the message is not a commit')
    }
    const { sender, commit } = content
    const { environment, crypto, groupContext, tree } = this.#state
    const { addsByValue } = environment.policy
    const resolved = resolveProposals(commit.proposals, sender, this.proposals, addsByValue)
    // A proposal that came by itself was checked when it came.
    const byValue = resolved.filter(
      (_, i) => commit.proposals[i]?.type === ProposalOrRefType.proposal,
    )
    await checkEach(crypto, byValue, (suite, proposal) =>
      checkProposal(environment, suite, proposal, groupContext, tree),
    )
    const proposals = sortProposals(resolved, sender, tree, environment.policy)
    if (sender.senderType === SenderType.newMemberCommit && commit.path !== undefined) {
      const { policy } = environment
      checkClientsOnce([commit.path.leafNode], proposals.removes, tree, policy)
    }
    const prepared = prepareCommit(environment, groupContext, tree, proposals)
    await judgeNewSenders(environment, crypto, prepared)
    const merged = await mergeReceivedPath(environment, crypto, prepared, commit.path)
    checkMembersAfter(prepared, merged)
    return effectOf(crypto, prepared, merged)
  }

  /** The next epoch, for a commit that `evaluateCommit` has passed. */
  advance(effect: CommitEffect, content: AuthenticatedContent): PublicGroup {
    const { crypto, interimTranscriptHash: interim } = this.#state
    const groupContext = committedContext(crypto, effect, interim, {
      wireFormat: content.wireFormat,
      content: content.content,
      signature: content.auth.signature,
    })
    const { tree, proposals } = effect
    const { environment } = this.#state
    return PublicGroup.#beginning(
      { environment, crypto, groupContext, tree },
      confirmationTag(content),
      proposals.reInit,
    )
  }
}

function acceptedCommit(
  crypto: PublicSuite,
  group: PublicGroup,
  { proposals: { committer }, added, removed }: CommitEffect,
): AcceptedCommit {
  const refs = added.map(({ leafIndex, keyPackage }) => ({
    leafIndex,
    keyPackageRef: makeKeyPackageRef(crypto, keyPackage),
  }))
  return { group, committer, added: refs, removed }
}

export function authenticated({ content, auth }: PublicMessage): AuthenticatedContent {
  return { wireFormat: WireFormat.publicMessage, content, auth }
}

/** @throws MlsError `commit-confirmation-tag-invalid` */
function confirmationTag({ auth }: AuthenticatedContent): Bytes {
  if (auth.confirmationTag === undefined) {
    throw new MlsError('commit-confirmation-tag-invalid', 'a commit has a confirmation tag')
  }
  return auth.confirmationTag
}
