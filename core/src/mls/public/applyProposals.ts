import type { Extensions } from '../../wire/extension.ts'
import type { KeyPackage } from '../../wire/keyPackage.ts'
import type { LeafIndex } from '../../wire/ratchetTree.ts'
import type { PublicTree } from '../treesync/publicTree.ts'
import type { ProposalList } from './proposalList.ts'

/** Where an Add has put its KeyPackage's leaf. */
export interface AddedMember {
  readonly leafIndex: LeafIndex
  readonly keyPackage: KeyPackage
}

export interface AppliedProposals {
  readonly tree: PublicTree
  readonly extensions: Extensions
  readonly added: readonly AddedMember[]
}

/** RFC 9420 §12.3: updates, then removals, then additions in the order of the commit. */
export function applyProposals(
  tree: PublicTree,
  extensions: Extensions,
  proposals: ProposalList,
): AppliedProposals {
  let changed = tree
  for (const { leafIndex, leafNode } of proposals.updates) {
    changed = changed.withUpdatedLeaf(leafIndex, leafNode)
  }
  for (const { leafIndex } of proposals.removes) changed = changed.withoutLeaf(leafIndex)
  const added = proposals.adds.map(({ keyPackage }): AddedMember => {
    const { tree, leafIndex } = changed.withAddedLeaf(keyPackage.leafNode)
    changed = tree
    return { leafIndex, keyPackage }
  })
  return { tree: changed, extensions: proposals.groupContextExtensions ?? extensions, added }
}
