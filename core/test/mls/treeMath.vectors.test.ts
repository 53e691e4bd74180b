import { expect, it } from 'vitest'
import { left, type NodeIndex, parent, right, root, sibling } from '../../src/mls/treeMath.ts'
import { describeVector } from '../vectors.ts'

interface TreeMathVector {
  n_leaves: number
  n_nodes: number
  root: number
  left: (number | null)[]
  right: (number | null)[]
  parent: (number | null)[]
  sibling: (number | null)[]
}

describeVector<TreeMathVector[]>('mls/tree-math.json', (vectors) => {
  it.each(vectors)('trees of $n_leaves leaves have the indices of the vector', (vector) => {
    const leafCount = vector.n_leaves
    expect(2 * leafCount - 1).toBe(vector.n_nodes)
    expect(root(leafCount)).toBe(vector.root)
    for (let node = 0 as NodeIndex; node < vector.n_nodes; node++) {
      expect(left(node) ?? null).toBe(vector.left[node])
      expect(right(node) ?? null).toBe(vector.right[node])
      expect(parent(node, leafCount) ?? null).toBe(vector.parent[node])
      expect(sibling(node, leafCount) ?? null).toBe(vector.sibling[node])
    }
  })
})
