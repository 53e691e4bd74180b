import type { PublicGroup } from '@conclave/core/mls/public'
import type { LeafSubtree } from '@conclave/core/mls/treesync'
import { type GroupContext, LeafNodeSource } from '@conclave/core/wire'

/** How long the first in line waits for more to come, in milliseconds; removals do not wait. */
const batchingMs = 100
/**
 * How long an epoch lasts at least before a commit that removes nobody, in milliseconds for each
 * member: in a rush, what a commit costs everybody is shared by all whom it adds.
 */
const spacingPerMemberMs = 3
/**
 * How long the first stand-in waits for whoever is before it, in milliseconds; each next one waits
 * this much longer than the one before it did. Where a commit is merely slow, a stand-in's is made in
 * vain and slows it further, so that few are to stand in while one spreads.
 */
const standInMs = 250

/**
 * The same for each member where nobody is to be removed: a commit that adds many to a large group
 * takes long to make and to spread, and newcomers can wait.
 */
const standInPerMemberMs = 5

/**
 * How many members are expected to commit before this one; undefined for one that cannot. First come
 * those that have never sent a path (theirs fills blank nodes and heals a leaf that nobody has
 * healed yet), then the others; of either in the order of their leaves. They begin beside the leaf
 * whose removal was proposed first: a path from there fills what the removal blanks, which every later
 * commit would have to encrypt around. Where nobody is to be removed they begin at a leaf that the
 * transcript's hash names anew in each epoch. Whether somebody is there or not changes nobody's place by
 * more than one. Any member may commit; the order only saves wasted work.
 */
export function rankOf(
  ownLeaf: number,
  {
    groupContext,
    tree,
    pendingRemovals,
  }: Pick<PublicGroup, 'groupContext' | 'tree' | 'pendingRemovals'>,
  present: ReadonlySet<number>,
): number | undefined {
  const [removed] = pendingRemovals
  const first = removed === undefined ? drawn(groupContext, tree.leafCount) : pairOf(removed)
  const positionOf = ({ firstLeaf, leafNodeSource }: LeafSubtree) => {
    const hasSentPath = leafNodeSource === LeafNodeSource.commit ? 2 : 0
    return (hasSentPath + (firstLeaf < first ? 1 : 0)) * tree.leafCount + firstLeaf
  }
  const leaves = tree.leaves()
  const own = leaves.find(({ firstLeaf }) => firstLeaf === ownLeaf)
  if (own === undefined || pendingRemovals.has(own.firstLeaf)) return undefined
  const ownPosition = positionOf(own)
  let before = 0
  for (const leaf of leaves) {
    if (positionOf(leaf) >= ownPosition) continue
    if (present.has(leaf.firstLeaf) && !pendingRemovals.has(leaf.firstLeaf)) before += 1
  }
  return before
}

function drawn({ confirmedTranscriptHash }: GroupContext, leafCount: number): number {
  // Empty in the founder's first epoch (RFC 9420 §8.2). Two bytes name any leaf that there can be.
  const [high = 0, low = 0] = confirmedTranscriptHash
  return (256 * high + low) % leafCount
}

/** The first of the two leaves under one parent. */
function pairOf(leaf: number): number {
  return leaf - (leaf % 2)
}

/**
 * The members that are expected to found the group that continues a frozen one, first one first:
 * in the order of their leaves, beginning at whoever has frozen it. Any member may.
 */
export function foundersInOrder(
  { tree }: Pick<PublicGroup, 'tree'>,
  committer: number,
  present: ReadonlySet<number>,
): readonly number[] {
  const leaves = tree
    .leaves()
    .map(({ firstLeaf }) => firstLeaf)
    .filter((leaf) => present.has(leaf))
  return [
    ...leaves.filter((leaf) => leaf >= committer),
    ...leaves.filter((leaf) => leaf < committer),
  ]
}

/** When a member of this rank founds the next group, in milliseconds after its own was frozen. */
export function foundingTurn(rank: number, { tree }: Pick<Occasion, 'tree'>): number {
  return steps(rank) * unhurriedStep(tree)
}

/** What of a group says how soon a commit is wanted. */
interface Occasion {
  readonly tree: Pick<PublicGroup['tree'], 'memberCount'>
  readonly pendingRemovals: Pick<ReadonlySet<number>, 'size'>
}

/**
 * When a member of this rank commits, in milliseconds.
 * @param workSince when there was something to commit
 * @param epochSince when the epoch began, as far as we have seen it begin
 */
export function turnAt(
  rank: number,
  { tree, pendingRemovals }: Occasion,
  {
    workSince,
    epochSince,
  }: { readonly workSince: number; readonly epochSince: number | undefined },
): number {
  if (pendingRemovals.size > 0) return workSince + steps(rank) * standInMs
  const spaced = (epochSince ?? 0) + spacingPerMemberMs * tree.memberCount
  return Math.max(workSince + batchingMs, spaced) + steps(rank) * unhurriedStep(tree)
}

function unhurriedStep({ memberCount }: Occasion['tree']): number {
  return standInMs + standInPerMemberMs * memberCount
}

/** Each next one in line waits one step more than the one before it did. */
function steps(rank: number): number {
  return (rank * (rank + 1)) / 2
}
