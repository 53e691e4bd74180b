import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ancestorOf, level, type NodeIndex } from '../../src/mls/treeMath.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import { checkUnmergedLeaves } from '../../src/mls/treesync/treeValidation.ts'
import type { LeafIndex, Node, ParentNode, RatchetTree } from '../../src/wire/index.ts'
import { CredentialType, NodeType } from '../../src/wire/registry.ts'
import { bytesOf, leafNodeOf } from './treeModel.ts'

const leafNode = leafNodeOf({
  encryptionKey: bytesOf('01'),
  signatureKey: bytesOf('02'),
  extensions: [],
  proposals: [],
  credentials: [],
  credentialType: CredentialType.basic,
  committed: true,
})

/** Leaves that a parent does not have merged, mostly as they should be. */
const unmergedBelow = (index: number, width: number) => {
  const span = 2 ** level(index as NodeIndex)
  const first = (index + 1 - span) / 2
  const below = fc.subarray(Array.from({ length: span }, (_, i) => first + i))
  return fc.oneof(
    { weight: 8, arbitrary: below },
    { weight: 1, arbitrary: below.map((leaves) => leaves.toReversed()) },
    { weight: 1, arbitrary: fc.array(fc.nat(width), { maxLength: 2 }) },
  )
}

const trees: fc.Arbitrary<RatchetTree> = fc.constantFrom(2, 4, 8).chain((width) =>
  fc.tuple(
    ...Array.from({ length: 2 * width - 1 }, (_, index): fc.Arbitrary<Node | undefined> => {
      if (index === 2 * width - 2) return fc.constant({ nodeType: NodeType.leaf, leafNode })
      if (index % 2 === 0) {
        return fc.option(fc.constant({ nodeType: NodeType.leaf, leafNode }), { nil: undefined })
      }
      return fc.option(
        unmergedBelow(index, width).map((leaves) => ({
          nodeType: NodeType.parent,
          parentNode: {
            encryptionKey: bytesOf('03'),
            parentHash: bytesOf('04'),
            unmergedLeaves: leaves as LeafIndex[],
          },
        })),
        { nil: undefined },
      )
    }),
  ),
)

/** RFC 9420 §12.4.3.1, word for word and node by node. */
function isAsDemanded(nodes: RatchetTree): boolean {
  const parentNode = (index: number): ParentNode | undefined => {
    const node = nodes[index]
    return node?.nodeType === NodeType.parent ? node.parentNode : undefined
  }
  return nodes.every((_, index) => {
    const unmerged = parentNode(index)?.unmergedLeaves ?? []
    const height = level(index as NodeIndex)
    return unmerged.every((leaf, i) => {
      const sorted = i === 0 || (unmerged[i - 1] as LeafIndex) < leaf
      const isMember = nodes[2 * leaf] !== undefined
      const isBelow = ancestorOf(leaf, height) === index
      const between = Array.from({ length: height - 1 }, (_, l) => ancestorOf(leaf, l + 1))
      return (
        sorted &&
        isMember &&
        isBelow &&
        between.every((at) => parentNode(at)?.unmergedLeaves.includes(leaf) ?? true)
      )
    })
  })
}

describe('unmerged leaves', () => {
  it('are refused exactly where the rules for single nodes refuse them', () => {
    const seen = { valid: 0, invalid: 0 }
    fc.assert(
      fc.property(trees, (nodes) => {
        const { root } = PublicTree.fromRatchetTree(nodes)
        if (isAsDemanded(nodes)) {
          seen.valid++
          checkUnmergedLeaves(root)
        } else {
          seen.invalid++
          expect(() => checkUnmergedLeaves(root)).toThrow(
            expect.objectContaining({ code: 'tree-unmerged-leaf-invalid' }),
          )
        }
      }),
      { numRuns: 2000 },
    )
    for (const times of Object.values(seen)) expect(times).toBeGreaterThan(100)
  })
})
