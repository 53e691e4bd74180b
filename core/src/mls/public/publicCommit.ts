import type { Bytes } from '../../codec/bytes.ts'
import { equalBytes, toHex } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import { makeKeyPackageRef } from '../../crypto/public/refHash.ts'
import type { Commit } from '../../wire/commit.ts'
import { GroupContext } from '../../wire/groupContext.ts'
import type { LeafIndex, LeafNode, UpdatePath } from '../../wire/ratchetTree.ts'
import { ProposalType } from '../../wire/registry.ts'
import type { GroupInfo, Welcome } from '../../wire/welcome.ts'
import { MlsError } from '../mlsError.ts'
import { checkLeafNode, verifyLeafNodeSignature } from '../treesync/leafNode.ts'
import type { PublicTree } from '../treesync/publicTree.ts'
import { checkMembers } from '../treesync/treeValidation.ts'
import { type AddedMember, applyProposals } from './applyProposals.ts'
import { judgeExternalSenders, leafRequirements } from './groupExtensions.ts'
import { verifyGroupInfoSignature } from './groupInfo.ts'
import type { PublicEnvironment } from './policy.ts'
import type { ProposalList } from './proposalList.ts'
import { mergePath } from './publicPath.ts'
import { confirmedTranscriptHash, type SignedCommit } from './transcript.ts'

/** A commit's proposals, judged and applied; its path is still to come. */
export interface PreparedCommit {
  readonly proposals: ProposalList
  /** What the committer's new leaf succeeds: its leaf so far, or the one that its resync removes. */
  readonly replaced: LeafNode | undefined
  readonly added: readonly AddedMember[]
  readonly removed: readonly LeafIndex[]
  /** After the proposals and before the path: what path secrets are sealed to. */
  readonly treeBeforePath: PublicTree
  /** The new epoch's, with the old tree hash and transcript hash. */
  readonly context: GroupContext
}

/** What a commit does to public state, from its proposals to its path. */
export interface CommitEffect extends PreparedCommit {
  readonly tree: PublicTree
  /** §12.4.1's provisional GroupContext, the context of path encryption. */
  readonly provisionalContext: GroupContext
}

/** §12.4: types whose commit must have a path; a custom type's rules say so for it. */
const pathRequired: readonly number[] = [
  ProposalType.update,
  ProposalType.remove,
  ProposalType.externalInit,
  ProposalType.groupContextExtensions,
  ProposalType.selfRemove,
]

export function needsPath(
  { policy, customProposals }: PublicEnvironment,
  { all }: ProposalList,
): boolean {
  return (
    policy.pathAlwaysRequired ||
    all.length === 0 ||
    all.some(({ proposal }) =>
      proposal.proposalType === ProposalType.custom
        ? customProposals?.get(proposal.customType)?.needsPath
        : pathRequired.includes(proposal.proposalType),
    )
  )
}

/** The leaf that a path's leaf succeeds: the committer's own, or the one that a resync removes. */
function replacedLeaf(
  { externalInit, committer, removes }: ProposalList,
  tree: PublicTree,
): LeafNode | undefined {
  const leafIndex =
    externalInit === undefined
      ? committer
      : removes.find(({ kind }) => kind === 'remove')?.leafIndex
  return leafIndex === undefined ? undefined : tree.leafNode(leafIndex)
}

/**
 * RFC 9420 §12.3 and §12.4.2 up to the path.
 * @throws MlsError, or what the policy throws
 */
export function prepareCommit(
  { policy }: PublicEnvironment,
  context: GroupContext,
  tree: PublicTree,
  proposals: ProposalList,
): PreparedCommit {
  policy.checkProposals(proposals, tree, context)
  const applied = applyProposals(tree, context.extensions, proposals)
  const { extensions } = applied
  const changed: GroupContext = { ...context, epoch: context.epoch + 1n, extensions }
  if (proposals.groupContextExtensions !== undefined) policy.checkGroup(changed, applied.tree)
  return {
    proposals,
    replaced: replacedLeaf(proposals, tree),
    added: applied.added,
    removed: proposals.removes.map(({ leafIndex }) => leafIndex),
    // A newcomer's leaf has to have its place before its path can be laid.
    treeBeforePath:
      proposals.externalInit === undefined ? applied.tree : applied.tree.withFreeLeaf().tree,
    context: changed,
  }
}

/** Whom a commit lets propose from outside, where it changes that. */
export async function judgeNewSenders(
  environment: PublicEnvironment,
  crypto: PublicSuite,
  { proposals, context }: PreparedCommit,
): Promise<void> {
  if (proposals.groupContextExtensions === undefined) return
  await judgeExternalSenders(environment, crypto, context)
}

/**
 * The public half of a received path.
 * @throws MlsError `commit-path-…`, `leaf-…`, or what the policy throws
 */
export async function mergeReceivedPath(
  environment: PublicEnvironment,
  crypto: PublicSuite,
  prepared: PreparedCommit,
  path: Commit['path'],
): Promise<PublicTree> {
  const { proposals, treeBeforePath } = prepared
  if (path === undefined) {
    if (!needsPath(environment, proposals)) return treeBeforePath
    throw new MlsError('commit-path-missing', 'these proposals must be committed with a path')
  }
  const merged = mergePath(
    crypto,
    treeBeforePath,
    proposals.committer,
    path,
    prepared.added.map(({ leafIndex }) => leafIndex),
  )
  await checkPathLeaf(environment, crypto, prepared, path)
  return merged
}

/**
 * §12.2's last rule: the tree is valid after the commit. §12.1.7 has a code of its own for members
 * that cannot follow a change of the context.
 * @throws MlsError `leaf-…`, `tree-key-duplicate`, `proposal-extensions-unsupported`
 */
export function checkMembersAfter({ proposals, context }: PreparedCommit, tree: PublicTree): void {
  try {
    checkMembers(tree, leafRequirements(context))
  } catch (error) {
    const unfollowed =
      proposals.groupContextExtensions !== undefined &&
      error instanceof MlsError &&
      error.code === 'leaf-capabilities-insufficient'
    if (!unfollowed) throw error
    throw new MlsError('proposal-extensions-unsupported', 'a member lacks a capability', {
      cause: error,
    })
  }
}

/** What a commit does whose proposals and path have passed every check. */
export function effectOf(
  crypto: PublicSuite,
  prepared: PreparedCommit,
  tree: PublicTree,
): CommitEffect {
  const provisionalContext = { ...prepared.context, treeHash: tree.treeHash(crypto) }
  return { ...prepared, tree, provisionalContext }
}

async function checkPathLeaf(
  { policy }: PublicEnvironment,
  crypto: PublicSuite,
  { context, proposals, replaced }: PreparedCommit,
  { leafNode }: UpdatePath,
): Promise<void> {
  const leafIndex = proposals.committer
  // §12.2: a resync's leaf meets what an Update's would. A member's own was compared in mergePath.
  const resynced = proposals.externalInit === undefined ? undefined : replaced
  if (resynced !== undefined && equalBytes(resynced.encryptionKey, leafNode.encryptionKey)) {
    throw new MlsError('commit-path-key-unchanged', 'a resync must bring a new leaf key')
  }
  checkLeafNode(leafNode, leafRequirements(context))
  await verifyLeafNodeSignature(crypto, leafNode, { groupId: context.groupId, leafIndex })
  await policy.checkLeaf(crypto, leafNode, context, replaced, 'receiver')
}

/** The new epoch's GroupContext, once the commit is signed. */
export function committedContext(
  crypto: PublicSuite,
  effect: CommitEffect,
  interimTranscriptHash: Bytes,
  commit: SignedCommit,
): GroupContext {
  return {
    ...effect.provisionalContext,
    confirmedTranscriptHash: confirmedTranscriptHash(crypto, interimTranscriptHash, commit),
  }
}

/**
 * A GroupInfo that a committer uploads describes exactly the epoch that its commit begins.
 * @throws MlsError `group-info-…`
 */
export async function checkGroupInfo(
  crypto: PublicSuite,
  groupInfo: GroupInfo,
  context: GroupContext,
  tree: PublicTree,
  confirmationTag: Bytes,
): Promise<void> {
  if (!equalBytes(encode(GroupContext, groupInfo.groupContext), encode(GroupContext, context))) {
    throw new MlsError('group-info-context-mismatch', 'the GroupInfo is of another epoch')
  }
  if (!equalBytes(groupInfo.confirmationTag, confirmationTag)) {
    throw new MlsError('group-info-confirmation-tag-invalid', 'the GroupInfo has another tag')
  }
  await verifyGroupInfoSignature(crypto, groupInfo, tree)
}

/**
 * A Welcome has a secret for everyone who was added and for nobody else.
 * @throws MlsError `welcome-incomplete`, `welcome-suite-mismatch`
 */
export function checkWelcome(
  crypto: PublicSuite,
  welcome: Welcome | undefined,
  added: readonly Pick<AddedMember, 'keyPackage'>[],
): void {
  if (welcome !== undefined && welcome.cipherSuite !== crypto.suite.id) {
    throw new MlsError('welcome-suite-mismatch', 'the Welcome is of another cipher suite')
  }
  const welcomed = welcome?.secrets.map(({ newMember }) => toHex(newMember)) ?? []
  const expected = new Set(
    added.map(({ keyPackage }) => toHex(makeKeyPackageRef(crypto, keyPackage))),
  )
  const covers = welcomed.length === expected.size && welcomed.every((ref) => expected.has(ref))
  if (!covers || new Set(welcomed).size !== expected.size) {
    throw new MlsError('welcome-incomplete', 'the Welcome does not cover exactly the Adds')
  }
}
