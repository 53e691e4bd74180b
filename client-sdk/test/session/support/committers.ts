import type { PublicGroup } from '@conclave/core/mls/public'
import { rankOf } from '../../../src/session/commitTurn.ts'

/** Who of those present may commit, first one first. */
export function committersInOrder(
  group: Pick<PublicGroup, 'groupContext' | 'tree' | 'pendingRemovals'>,
  present: ReadonlySet<number>,
): readonly number[] {
  const inOrder: number[] = []
  for (const leaf of present) {
    const isMember = group.tree.leafNode(leaf as Parameters<typeof group.tree.leafNode>[0])
    const rank = isMember && rankOf(leaf, group, present)
    if (rank !== undefined) inOrder[rank] = leaf
  }
  return inOrder
}
