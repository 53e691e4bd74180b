import { type Bytes, equalBytes } from '../codec/bytes.ts'
import type { Judge } from '../mls/public/policy.ts'
import type { ProposalList, SourcedProposal } from '../mls/public/proposalList.ts'
import type { PublicTree } from '../mls/treesync/publicTree.ts'
import type { LeafIndex, LeafNode } from '../wire/ratchetTree.ts'
import { CredentialType, ProposalType, SenderType } from '../wire/registry.ts'
import { MeetingError } from './meetingExtension.ts'
import { deviceOf } from './memberExtension.ts'
import { parentEpochOf } from './room.ts'

/** What a member of a breakout room knows of the meeting that it branches off. */
export interface RoomParent {
  readonly groupId: Bytes
  /** The tree of the newest epoch that we know. */
  readonly tree: PublicTree
  /** The trees of all epochs that are remembered. */
  readonly trees: readonly PublicTree[]
  /** The tree of an epoch, while that is remembered. */
  treeAt(epoch: bigint): PublicTree | undefined
  /** The parent's epoch that the room's newest commit named, as far as we have seen. */
  readonly floor: bigint
  /** Whether the room was opened for somebody of this identity. */
  isCalled(identity: Bytes): boolean
}

/**
 * Rules of a room's commits that anybody can check: each carries one key of the room's parent, so
 * that who is not in the parent cannot follow it.
 * @throws MeetingError `room-psk-invalid`
 */
export function checkRoomPsk({ preSharedKeys }: ProposalList): void {
  const [id] = preSharedKeys
  if (id === undefined || preSharedKeys.length > 1 || parentEpochOf(id) === undefined) {
    throw new MeetingError('room-psk-invalid', 'a commit of a room carries one key of its parent')
  }
}

/**
 * What only those in the parent can check: the key is of an epoch that is not older than the last
 * one named, whoever takes a place again is still in the parent, and only those are removed that
 * were not in it in the epoch that is named.
 * @throws MeetingError `room-psk-invalid`, `room-member-unknown`, `proposal-not-authorised`
 */
export function checkAgainstParent(
  parent: RoomParent,
  proposals: ProposalList,
  tree: PublicTree,
): void {
  const [id] = proposals.preSharedKeys
  const named = id && parentEpochOf(id)
  if (
    named === undefined ||
    !equalBytes(named.parentGroupId, parent.groupId) ||
    named.parentEpoch < parent.floor
  ) {
    throw new MeetingError('room-psk-invalid', 'the key is of another group, or of a past epoch')
  }
  if (proposals.externalInit !== undefined) {
    for (const { kind, leafIndex } of proposals.removes) {
      const leafNode = kind === 'remove' ? tree.leafNode(leafIndex) : undefined
      if (leafNode !== undefined) checkInParent(leafNode, [parent.tree])
    }
  }
  const evicted = proposals.removes.filter(
    ({ kind, sender }) => kind === 'remove' && sender.senderType === SenderType.member,
  )
  if (evicted.length === 0) return
  const namedTree = parent.treeAt(named.parentEpoch)
  if (namedTree === undefined) {
    throw new MeetingError('room-psk-invalid', 'who was in the parent then is not known here')
  }
  for (const { leafIndex } of evicted) {
    const leafNode = tree.leafNode(leafIndex)
    if (leafNode === undefined || isInTree(leafNode, namedTree)) {
      throw new MeetingError('proposal-not-authorised', 'the removed is in the parent')
    }
  }
}

/**
 * A leaf that a room is to have: of somebody whom it was opened for, and of a device in the parent.
 * Who enters has to be in it now; who was there before us may have left it just before.
 * @throws MeetingError `room-member-unknown`
 */
export function checkRoomLeaf(
  parent: RoomParent,
  leafNode: LeafNode,
  previous: LeafNode | undefined,
  by: Judge | undefined,
): void {
  if (!parent.isCalled(identityOf(leafNode))) {
    throw new MeetingError('room-member-unknown', 'the room was not opened for this person')
  }
  // A leaf's identity and device do not change: whether they may still be there, removals decide.
  if (previous === undefined) {
    checkInParent(leafNode, by === 'joiner' ? parent.trees : [parent.tree])
  }
}

/** The leaves of a room whose devices are not in its parent. */
export function leavesOutside(room: PublicTree, parent: PublicTree): readonly LeafIndex[] {
  const inside = namesIn(parent)
  return room
    .leaves()
    .filter((leaf) => !inside.has(nameOfSubtree(leaf)))
    .map(({ firstLeaf }) => firstLeaf)
}

/** A Remove by a member, which a meeting without rooms does not have. */
export function isEviction({ proposal, sender }: SourcedProposal): boolean {
  return proposal.proposalType === ProposalType.remove && sender.senderType === SenderType.member
}

function checkInParent(leafNode: LeafNode, trees: readonly PublicTree[]): void {
  if (!trees.some((tree) => isInTree(leafNode, tree))) {
    throw new MeetingError('room-member-unknown', 'the device is not in the parent')
  }
}

function isInTree(leafNode: LeafNode, tree: PublicTree): boolean {
  return namesIn(tree).has(deviceOf(leafNode))
}

function identityOf({ credential }: LeafNode): Bytes {
  if (credential.credentialType === CredentialType.basic) return credential.identity
  throw new MeetingError('member-credential-unsupported', 'only basic credentials are checked yet')
}

type Leaf = ReturnType<PublicTree['leaves']>[number]

/** Trees are immutable, and epochs share the leaves that their commits did not touch. */
const namesByTree = new WeakMap<PublicTree, ReadonlySet<string>>()
const namesByLeaf = new WeakMap<Leaf, string>()

function namesIn(tree: PublicTree): ReadonlySet<string> {
  let names = namesByTree.get(tree)
  if (names === undefined) {
    names = new Set(tree.leaves().map(nameOfSubtree))
    namesByTree.set(tree, names)
  }
  return names
}

function nameOfSubtree(leaf: Leaf): string {
  let name = namesByLeaf.get(leaf)
  if (name === undefined) {
    const { leafNode } = leaf
    name = leafNode === undefined ? '' : deviceOf(leafNode)
    namesByLeaf.set(leaf, name)
  }
  return name
}
