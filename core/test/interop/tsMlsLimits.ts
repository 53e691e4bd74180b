import type { Bytes } from '../../src/codec/bytes.ts'
import { decode } from '../../src/codec/tls.ts'
import { ancestorOf } from '../../src/mls/treeMath.ts'
import { RatchetTree } from '../../src/wire/index.ts'
import { NodeType } from '../../src/wire/registry.ts'

/*
 * Where ts-mls 1.6.4 fails at what the RFC allows, for the scripts to know. `tsMlsFails.test.ts`
 * shows each by itself.
 */

/**
 * Whether a valid tree is one that ts-mls refuses to join with: it wants all nodes above an
 * unmerged leaf to have equal `unmerged_leaves`.
 */
export function refusesTree(encoded: Bytes): boolean {
  const tree = decode(RatchetTree, encoded)
  const unmergedAt = (node: number) => {
    const found = tree[node]
    return found?.nodeType === NodeType.parent ? found.parentNode.unmergedLeaves : undefined
  }
  return tree.some((_, index) =>
    unmergedAt(index)?.some((leaf) => {
      for (let level = 1; 2 ** level - 1 < tree.length; level++) {
        const above = unmergedAt(ancestorOf(leaf, level))
        if (above !== undefined && String(above) !== String(unmergedAt(index))) return true
      }
      return false
    }),
  )
}

/** Whether ts-mls agrees on secrets with members at these leaves: not with the left half blank. */
export function followsLeaves(leaves: readonly number[]): boolean {
  const half = 2 ** Math.floor(Math.log2(Math.max(1, ...leaves)))
  return leaves.some((leaf) => leaf < half)
}
