import type { Bytes } from '../../codec/bytes.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import type { LeafIndex, LeafNode, Node, ParentNode, RatchetTree } from '../../wire/ratchetTree.ts'
import { NodeType } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { left, level, type NodeIndex, right } from '../treeMath.ts'
import {
  blankSubtree,
  holds,
  LeafSubtree,
  leafIn,
  ParentSubtree,
  resolution,
  type Subtree,
} from './subtree.ts'

export interface Member {
  readonly leafIndex: LeafIndex
  readonly leafNode: LeafNode
}

/** One step of a filtered direct path (RFC 9420 §4.1.2). */
export interface PathStep {
  readonly node: ParentSubtree
  /** The child of `node` that is not on the path; its resolution is never empty. */
  readonly copath: Subtree
}

/**
 * WHO is in the group: the public half of the ratchet tree (RFC 9420 §4.1, §7.7). Immutable; each
 * operation gives a new tree that shares what it did not change.
 */
export class PublicTree {
  readonly root: Subtree

  private constructor(root: Subtree) {
    this.root = root
  }

  /** The tree of a group that has only its founder. */
  static ofFounder(leafNode: LeafNode): PublicTree {
    return new PublicTree(new LeafSubtree(0 as LeafIndex, leafNode))
  }

  /**
   * RFC 9420 §12.4.3.3: the array ends with a non-blank node and is filled up with blanks to a
   * complete tree. Only its shape is checked here; `validateTree` judges what is in it.
   * @throws MlsError `tree-malformed`
   */
  static fromRatchetTree(nodes: RatchetTree): PublicTree {
    if (nodes.length === 0 || nodes[nodes.length - 1] === undefined) {
      throw new MlsError('tree-malformed', 'a ratchet tree ends with a non-blank node')
    }
    nodes.forEach((node, index) => {
      const expected = index % 2 === 0 ? NodeType.leaf : NodeType.parent
      if (node !== undefined && node.nodeType !== expected) {
        throw new MlsError('tree-malformed', `node ${index} has the wrong type`)
      }
    })
    let leafCount = 1
    while (2 * leafCount - 1 < nodes.length) leafCount *= 2
    return new PublicTree(subtreeFromArray(nodes, (leafCount - 1) as NodeIndex))
  }

  toRatchetTree(): RatchetTree {
    const nodes: (Node | undefined)[] = new Array(2 * this.leafCount - 1).fill(undefined)
    writeToArray(this.root, nodes)
    while (nodes[nodes.length - 1] === undefined) nodes.pop()
    return nodes
  }

  /** Width of the tree with its blanks: a power of two. */
  get leafCount(): number {
    return 2 ** this.root.level
  }

  get memberCount(): number {
    return this.root.memberCount
  }

  leafNode(leaf: LeafIndex): LeafNode | undefined {
    return leaf < this.leafCount ? leafIn(this.root, leaf).leafNode : undefined
  }

  members(): readonly Member[] {
    const members: Member[] = []
    visit(this.root, (subtree) => {
      if (subtree.kind === 'leaf' && subtree.leafNode !== undefined) {
        members.push({ leafIndex: subtree.firstLeaf, leafNode: subtree.leafNode })
      }
    })
    return members
  }

  /** Non-blank parents, each before the parents below it. */
  parents(): readonly ParentSubtree[] {
    const parents: ParentSubtree[] = []
    visit(this.root, (subtree) => {
      if (subtree.kind === 'parent' && subtree.parentNode !== undefined) parents.push(subtree)
    })
    return parents
  }

  treeHash(crypto: PublicSuite): Bytes {
    return this.root.treeHash(crypto)
  }

  /** From the leaf's parent up to the root, without steps whose copath holds nobody. */
  filteredDirectPath(leaf: LeafIndex): readonly PathStep[] {
    const steps: PathStep[] = []
    let at = this.root
    while (at.kind === 'parent') {
      const [onPath, copath] = holds(at.left, leaf) ? [at.left, at.right] : [at.right, at.left]
      if (resolution(copath).length > 0) steps.push({ node: at, copath })
      at = onPath
    }
    return steps.reverse()
  }

  /**
   * The leftmost blank leaf (RFC 9420 §12.1.1), in a tree that was doubled (§7.7) if it was full.
   * It stays blank: an external committer's path puts its leaf there (§12.4.3.2).
   */
  withFreeLeaf(): { tree: PublicTree; leafIndex: LeafIndex } {
    const full = this.root.memberCount === this.leafCount
    const tree = full
      ? new PublicTree(
          new ParentSubtree(
            undefined,
            this.root,
            blankSubtree(this.root.level, this.leafCount as LeafIndex),
          ),
        )
      : this
    return { tree, leafIndex: leftmostBlank(tree.root) }
  }

  /** RFC 9420 §12.1.1: takes the leftmost blank leaf. */
  withAddedLeaf(leafNode: LeafNode): { tree: PublicTree; leafIndex: LeafIndex } {
    const { tree, leafIndex } = this.withFreeLeaf()
    const root = replaceLeaf(tree.root, leafIndex, leafNode, ({ parentNode }) =>
      parentNode === undefined
        ? undefined
        : { ...parentNode, unmergedLeaves: inserted(parentNode.unmergedLeaves, leafIndex) },
    )
    return { tree: new PublicTree(root), leafIndex }
  }

  /** RFC 9420 §12.1.2: the leaf is replaced and its direct path blanked. */
  withUpdatedLeaf(leaf: LeafIndex, leafNode: LeafNode): PublicTree {
    return new PublicTree(replaceLeaf(this.root, leaf, leafNode, () => undefined))
  }

  /** RFC 9420 §12.1.3: blanks the leaf and its direct path, then halves while the right half is empty. */
  withoutLeaf(leaf: LeafIndex): PublicTree {
    let root = replaceLeaf(this.root, leaf, undefined, () => undefined)
    while (root.kind === 'parent' && root.right.memberCount === 0) root = root.left
    return new PublicTree(root)
  }

  /**
   * RFC 9420 §7.5: the leaf and the nodes of its filtered direct path are replaced, and the rest of
   * its direct path blanked. `parentNodes` follow `filteredDirectPath(leaf)`.
   */
  withPath(leaf: LeafIndex, leafNode: LeafNode, parentNodes: readonly ParentNode[]): PublicTree {
    const byLevel = new Map(
      this.filteredDirectPath(leaf).map(({ node }, i) => [node.level, parentNodes[i]]),
    )
    return new PublicTree(replaceLeaf(this.root, leaf, leafNode, ({ level }) => byLevel.get(level)))
  }
}

function leftmostBlank(root: Subtree): LeafIndex {
  let at = root
  while (at.kind === 'parent') at = at.left.memberCount < 2 ** at.left.level ? at.left : at.right
  return at.firstLeaf
}

/** Copies the path from the root to `leaf`, with each parent on it as `replaceParent` says. */
function replaceLeaf(
  subtree: Subtree,
  leaf: LeafIndex,
  leafNode: LeafNode | undefined,
  replaceParent: (parent: ParentSubtree) => ParentNode | undefined,
): Subtree {
  if (subtree.kind === 'leaf') return new LeafSubtree(leaf, leafNode)
  const { left, right } = subtree
  const descend = (child: Subtree) => replaceLeaf(child, leaf, leafNode, replaceParent)
  return holds(left, leaf)
    ? new ParentSubtree(replaceParent(subtree), descend(left), right)
    : new ParentSubtree(replaceParent(subtree), left, descend(right))
}

/** RFC 9420 §7.1: unmerged leaves are kept in increasing order. */
function inserted(leaves: readonly LeafIndex[], leaf: LeafIndex): readonly LeafIndex[] {
  return [...leaves, leaf].sort((a, b) => a - b)
}

function subtreeFromArray(nodes: RatchetTree, index: NodeIndex): Subtree {
  const node = nodes[index]
  const leftIndex = left(index)
  const rightIndex = right(index)
  if (leftIndex === undefined || rightIndex === undefined) {
    const leafNode = node?.nodeType === NodeType.leaf ? node.leafNode : undefined
    return new LeafSubtree((index / 2) as LeafIndex, leafNode)
  }
  if (index - (1 << level(index)) + 1 >= nodes.length) {
    return blankSubtree(level(index), ((index - (1 << level(index)) + 1) / 2) as LeafIndex)
  }
  return new ParentSubtree(
    node?.nodeType === NodeType.parent ? node.parentNode : undefined,
    subtreeFromArray(nodes, leftIndex),
    subtreeFromArray(nodes, rightIndex),
  )
}

function writeToArray(subtree: Subtree, nodes: (Node | undefined)[]): void {
  visit(subtree, (at) => {
    if (at.kind === 'leaf') {
      if (at.leafNode !== undefined) {
        nodes[2 * at.firstLeaf] = { nodeType: NodeType.leaf, leafNode: at.leafNode }
      }
    } else if (at.parentNode !== undefined) {
      const index = 2 * at.firstLeaf + 2 ** at.level - 1
      nodes[index] = { nodeType: NodeType.parent, parentNode: at.parentNode }
    }
  })
}

function visit(subtree: Subtree, seen: (subtree: Subtree) => void): void {
  seen(subtree)
  if (subtree.kind === 'leaf') return
  visit(subtree.left, seen)
  visit(subtree.right, seen)
}
