import type { PublicGroup } from '@conclave/core/mls/public'
import { LeafNodeSource } from '@conclave/core/wire'

/** How long the first in line waits for more to come, in milliseconds; removals do not wait. */
const batchingMs = 100
/**
 * How long an epoch lasts at least before a commit that removes nobody, in milliseconds for each
 * member: in a rush, what a commit costs everybody is shared by all whom it adds.
 */
const spacingPerMemberMs = 3
/** How much later each next one in line stands in, in milliseconds. */
const standInMs = 250

/**
 * The members that are expected to commit, first one first: those that have never sent a path
 * (their path fills blank nodes and heals a leaf that nobody has healed yet), then the others; of
 * either in the order of their leaves, beginning at one that the transcript's hash names anew in
 * each epoch. Whether somebody is there or not changes nobody's place by more than one. Any member
 * may commit; the order only saves wasted work.
 */
export function committersInOrder(
  {
    groupContext,
    tree,
    pendingRemovals,
  }: Pick<PublicGroup, 'groupContext' | 'tree' | 'pendingRemovals'>,
  present: ReadonlySet<number>,
): readonly number[] {
  // Empty in the founder's first epoch (RFC 9420 §8.2). Two bytes name any leaf that there can be.
  const [high = 0, low = 0] = groupContext.confirmedTranscriptHash
  const first = (256 * high + low) % tree.leafCount
  const candidates = tree
    .leaves()
    .filter(({ firstLeaf }) => present.has(firstLeaf) && !pendingRemovals.has(firstLeaf))
  const inTurn = [
    ...candidates.filter(({ firstLeaf }) => firstLeaf >= first),
    ...candidates.filter(({ firstLeaf }) => firstLeaf < first),
  ]
  const hasSentPath = ({ leafNodeSource }: (typeof candidates)[number]) =>
    leafNodeSource === LeafNodeSource.commit
  return [...inTurn.filter((leaf) => !hasSentPath(leaf)), ...inTurn.filter(hasSentPath)].map(
    ({ firstLeaf }) => firstLeaf,
  )
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
  const standingIn = rank * standInMs
  if (pendingRemovals.size > 0) return workSince + standingIn
  const spaced = (epochSince ?? 0) + spacingPerMemberMs * tree.memberCount
  return Math.max(workSince + batchingMs, spaced) + standingIn
}
