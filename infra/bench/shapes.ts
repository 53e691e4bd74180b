import { sealTargets } from '../../core/src/mls/public/publicPath.ts'
import { commonAncestorLevel } from '../../core/src/mls/treeMath.ts'
import type { PublicTree } from '../../core/src/mls/treesync/publicTree.ts'
import type { LeafIndex } from '../../core/src/wire/index.ts'
import type { World } from './world.ts'

/** How much work an UpdatePath is (RFC 9420 §7.5). */
export interface PathShape {
  /** Nodes of the filtered direct path, each with a new key pair. */
  readonly nodes: number
  /** HPKE ciphertexts in all. */
  readonly seals: number
  /** Nodes whose keys Bob derives: his lowest common ancestor with the committer and those above. */
  readonly known: number
}

/** The paths that the world's operations bring. */
export function pathShapes({ tree, alice, bob, removed, carol }: World) {
  const of = (after: PublicTree, committer: LeafIndex, added: readonly LeafIndex[]): PathShape => {
    const steps = after.filteredDirectPath(committer)
    const common = commonAncestorLevel(committer, bob.leafIndex)
    return {
      nodes: steps.length,
      seals: steps.reduce((sum, step) => sum + sealTargets(step, added).length, 0),
      known: steps.filter(({ node }) => node.level >= common).length,
    }
  }
  const withCarol = tree.withAddedLeaf(carol.bundle.keyPackage.leafNode)
  const free = tree.withFreeLeaf()
  return {
    update: of(tree, alice.leafIndex, []),
    add: of(withCarol.tree, alice.leafIndex, [withCarol.leafIndex]),
    remove: of(tree.withoutLeaf(removed), alice.leafIndex, []),
    external: of(free.tree, free.leafIndex, []),
    /** The founder's, of which Bob's Welcome holds a secret. */
    welcome: of(tree, 0 as LeafIndex, []),
  }
}
