import { concatBytes, encode, toHex, uint32 } from '@conclave/core/codec'
import type { PublicGroup } from '@conclave/core/mls/public'
import { LeafNodeSource } from '@conclave/core/wire'

/** How long the first in line waits for more to come, in milliseconds; removals do not wait. */
const batchingMs = 100
/** How much later each next one in line stands in, in milliseconds. */
const standInMs = 250

/**
 * The members that are expected to commit, first one first: those that have never sent a path
 * (their path fills blank nodes and heals a leaf that nobody has healed yet), then by a hash that
 * changes with every epoch. Any member may commit; the order only saves wasted work.
 */
export function committersInOrder(
  { crypto, groupContext, tree, pendingRemovals }: PublicGroup,
  present: ReadonlySet<number>,
): readonly number[] {
  return tree
    .members()
    .filter(({ leafIndex }) => present.has(leafIndex) && !pendingRemovals.has(leafIndex))
    .map(({ leafIndex, leafNode }) => ({
      leafIndex,
      hasSentPath: leafNode.leafNodeSource === LeafNodeSource.commit ? 1 : 0,
      lot: toHex(
        crypto.hash(concatBytes(groupContext.confirmedTranscriptHash, encode(uint32, leafIndex))),
      ),
    }))
    .sort((a, b) => a.hasSentPath - b.hasSentPath || (a.lot < b.lot ? -1 : 1))
    .map(({ leafIndex }) => leafIndex)
}

/** Milliseconds after the first thing to commit at which a member of this rank commits. */
export function turnAfterMs(rank: number, removals: boolean): number {
  return (removals ? 0 : batchingMs) + rank * standInMs
}
