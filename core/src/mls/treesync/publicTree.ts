import type { Bytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import type { LeafIndex, LeafNode, Node, ParentNode, RatchetTree } from '../../wire/ratchetTree.ts'
import { NodeType } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { left, level, type NodeIndex, right } from '../treeMath.ts'
import type { CommonCapabilities } from './commonCapabilities.ts'
import {
  blankSubtree,
  type EncodedNode,
  EncodedRatchetTree,
  holds,
  LeafSubtree,
  leafIn,
  ParentSubtree,
  packParentKeys,
  type Subtree,
  visit,
} from './subtree.ts'
import { TreeKeys } from './treeKeys.ts'
import { pagesOf, ratchetTreeOf, type TreePages } from './treePages.ts'

/** A leaf that is not blank, and where it stands. */
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
  #keys: TreeKeys | undefined
  #leaves: readonly LeafSubtree[] | undefined

  private constructor(root: Subtree, keys?: TreeKeys, leaves?: readonly LeafSubtree[]) {
    this.root = root
    this.#keys = keys
    this.#leaves = leaves
  }

  /** The tree of a group that has only its founder. */
  static ofFounder(leafNode: LeafNode): PublicTree {
    return new PublicTree(LeafSubtree.of(0 as LeafIndex, leafNode))
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
    return new PublicTree(subtreeOf(nodes))
  }

  /**
   * The tree whose pages and spine `paged` gave.
   * @throws CodecError; MlsError `tree-malformed` where they are not of one tree
   */
  static fromPages(pages: readonly Bytes[], spine: Bytes): PublicTree {
    return PublicTree.fromRatchetTree(ratchetTreeOf(pages, spine))
  }

  /** For the `ratchet_tree` extension: without the blank nodes at its end (RFC 9420 §12.4.3.3). */
  toRatchetTree(): RatchetTree {
    const nodes: (Node | undefined)[] = new Array(2 * this.leafCount - 1).fill(undefined)
    writeToArray(this.root, nodes)
    while (nodes[nodes.length - 1] === undefined) nodes.pop()
    return nodes
  }

  /** `optional<Node> ratchet_tree<V>`, as `toRatchetTree` is encoded, without decoding any node. */
  encoded(): Bytes {
    const nodes: (EncodedNode | undefined)[] = new Array(2 * this.leafCount - 1).fill(undefined)
    visit(this.root, (subtree) => {
      nodes[2 * subtree.firstLeaf + 2 ** subtree.level - 1] = subtree.encodedNode
    })
    while (nodes[nodes.length - 1] === undefined) nodes.pop()
    return encode(EncodedRatchetTree, nodes)
  }

  /** The tree in parts of which most are the same in the tree of the next epoch. */
  paged(): TreePages {
    return pagesOf(this.root)
  }

  /** Width of the tree with its blanks: a power of two. */
  get leafCount(): number {
    return 2 ** this.root.level
  }

  get memberCount(): number {
    return this.root.memberCount
  }

  /** Undefined for a blank leaf, and beyond the last one. */
  leafNode(leaf: LeafIndex): LeafNode | undefined {
    return leaf < this.leafCount ? leafIn(this.root, leaf).leafNode : undefined
  }

  /**
   * The leaves that are not blank, from the left to the right, without decoding any. As long as
   * nothing changes a leaf, it is the same object in the tree of each epoch. The first call takes
   * time for each node; later trees inherit the answer.
   */
  leaves(): readonly LeafSubtree[] {
    this.#leaves ??= leavesIn(this.root)
    return this.#leaves
  }

  /** From the left to the right, each decoded anew. */
  members(): readonly Member[] {
    return this.leaves().flatMap(({ firstLeaf, leafNode }) =>
      leafNode === undefined ? [] : [{ leafIndex: firstLeaf, leafNode }],
    )
  }

  /** Non-blank parents, each before the parents below it. */
  parents(): readonly ParentSubtree[] {
    const parents: ParentSubtree[] = []
    visit(this.root, (subtree) => {
      if (subtree.kind === 'parent' && subtree.keys !== undefined) parents.push(subtree)
    })
    return parents
  }

  /** What all members have in common; undefined for a tree without members. */
  get capabilities(): CommonCapabilities | undefined {
    return this.root.capabilities
  }

  /** All keys in the tree. The first call takes time for each node; later trees inherit the answer. */
  get keys(): TreeKeys {
    this.#keys ??= TreeKeys.in(this.root)
    return this.#keys
  }

  /** RFC 9420 §7.8, of the root. */
  treeHash(crypto: PublicSuite): Bytes {
    return this.root.treeHash(crypto)
  }

  /** From the leaf's parent up to the root, without steps whose copath holds nobody. */
  filteredDirectPath(leaf: LeafIndex): readonly PathStep[] {
    const steps: PathStep[] = []
    let at = this.root
    while (at.kind === 'parent') {
      const [onPath, copath] = holds(at.left, leaf) ? [at.left, at.right] : [at.right, at.left]
      if (!copath.isBlank) steps.push({ node: at, copath })
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
          ParentSubtree.blank(
            this.root,
            blankSubtree(this.root.level, this.leafCount as LeafIndex),
          ),
          this.#keys,
          this.#leaves,
        )
      : this
    return { tree, leafIndex: leftmostBlank(tree.root) }
  }

  /** RFC 9420 §12.1.1: takes the leftmost blank leaf. */
  withAddedLeaf(leafNode: LeafNode): { tree: PublicTree; leafIndex: LeafIndex } {
    const { tree, leafIndex } = this.withFreeLeaf()
    const added = tree.#withLeaf(leafIndex, leafNode, ({ keys, unmergedLeaves }) =>
      keys === undefined
        ? blankParent
        : { keys, unmergedLeaves: inserted(unmergedLeaves, leafIndex) },
    )
    return { tree: added, leafIndex }
  }

  /** RFC 9420 §12.1.2: the leaf is replaced and its direct path blanked. */
  withUpdatedLeaf(leaf: LeafIndex, leafNode: LeafNode): PublicTree {
    return this.#withLeaf(leaf, leafNode, () => blankParent)
  }

  /** RFC 9420 §12.1.3: blanks the leaf and its direct path, then halves while the right half is empty. */
  withoutLeaf(leaf: LeafIndex): PublicTree {
    const blanked = this.#withLeaf(leaf, undefined, () => blankParent)
    let { root } = blanked
    while (root.kind === 'parent' && root.right.memberCount === 0) root = root.left
    // What has no members has no keys: a parent is set only above members, and they blank it as they go.
    return new PublicTree(root, blanked.#keys, blanked.#leaves)
  }

  /**
   * RFC 9420 §7.5: the leaf and the nodes of its filtered direct path are replaced, and the rest of
   * its direct path blanked. `parentNodes` follow `steps`, which are `filteredDirectPath(leaf)`.
   */
  withPath(
    leaf: LeafIndex,
    leafNode: LeafNode,
    steps: readonly PathStep[],
    parentNodes: readonly ParentNode[],
  ): PublicTree {
    const fresh = packParentKeys(parentNodes)
    const byLevel = new Map(
      steps.map(({ node }, i) => [
        node.level,
        { keys: fresh[i], unmergedLeaves: parentNodes[i]?.unmergedLeaves ?? [] },
      ]),
    )
    return this.#withLeaf(leaf, leafNode, ({ level }) => byLevel.get(level) ?? blankParent)
  }

  /** A tree with another leaf, and each parent above it as `replaceParent` says. */
  #withLeaf(
    leaf: LeafIndex,
    leafNode: LeafNode | undefined,
    replaceParent: (parent: ParentSubtree) => ParentContent,
  ): PublicTree {
    const replacement =
      leafNode === undefined
        ? LeafSubtree.blank(leaf)
        : LeafSubtree.of(leaf, leafNode, this.root.capabilities)
    const root = replaceLeaf(this.root, replacement, replaceParent)
    const leaves = this.#leaves && withLeafAmong(this.#leaves, replacement)
    return new PublicTree(root, this.#keys?.after(leaf, this.root, root), leaves)
  }
}

/** What a parent subtree holds itself. */
type ParentContent = Pick<ParentSubtree, 'keys' | 'unmergedLeaves'>

const blankParent: ParentContent = { keys: undefined, unmergedLeaves: [] }

function leftmostBlank(root: Subtree): LeafIndex {
  let at = root
  while (at.kind === 'parent') at = at.left.memberCount < 2 ** at.left.level ? at.left : at.right
  return at.firstLeaf
}

/** Copies the path from the root to where `leaf` stands. */
function replaceLeaf(
  subtree: Subtree,
  leaf: LeafSubtree,
  replaceParent: (parent: ParentSubtree) => ParentContent,
): Subtree {
  if (subtree.kind === 'leaf') return leaf
  const { left, right } = subtree
  const { keys, unmergedLeaves } = replaceParent(subtree)
  return holds(left, leaf.firstLeaf)
    ? new ParentSubtree(keys, unmergedLeaves, replaceLeaf(left, leaf, replaceParent), right)
    : new ParentSubtree(keys, unmergedLeaves, left, replaceLeaf(right, leaf, replaceParent))
}

/** RFC 9420 §7.1: unmerged leaves are kept in increasing order. */
function inserted(leaves: readonly LeafIndex[], leaf: LeafIndex): readonly LeafIndex[] {
  const before = leaves.findLastIndex((other) => other < leaf)
  return leaves.toSpliced(before + 1, 0, leaf)
}

/** The complete tree of an array whose nodes are of the right types. */
function subtreeOf(nodes: RatchetTree): Subtree {
  const leaves: Member[] = []
  const parents: { index: number; node: ParentNode }[] = []
  nodes.forEach((node, index) => {
    if (node?.nodeType === NodeType.leaf) {
      leaves.push({ leafIndex: (index / 2) as LeafIndex, leafNode: node.leafNode })
    }
    if (node?.nodeType === NodeType.parent) parents.push({ index, node: node.parentNode })
  })
  const packedLeaves = new Map(LeafSubtree.pack(leaves).map((leaf) => [leaf.firstLeaf, leaf]))
  const packedKeys = packParentKeys(parents.map(({ node }) => node))
  const contents = new Map(
    parents.map(({ index, node: { unmergedLeaves } }, i): [number, ParentContent] => [
      index,
      { keys: packedKeys[i], unmergedLeaves },
    ]),
  )

  const build = (index: NodeIndex): Subtree => {
    const leftIndex = left(index)
    const rightIndex = right(index)
    const firstLeaf = ((index - (1 << level(index)) + 1) / 2) as LeafIndex
    if (leftIndex === undefined || rightIndex === undefined) {
      return packedLeaves.get(firstLeaf) ?? LeafSubtree.blank(firstLeaf)
    }
    if (2 * firstLeaf >= nodes.length) return blankSubtree(level(index), firstLeaf)
    const { keys, unmergedLeaves } = contents.get(index) ?? blankParent
    return new ParentSubtree(keys, unmergedLeaves, build(leftIndex), build(rightIndex))
  }
  let leafCount = 1
  while (2 * leafCount - 1 < nodes.length) leafCount *= 2
  return build((leafCount - 1) as NodeIndex)
}

function writeToArray(subtree: Subtree, nodes: (Node | undefined)[]): void {
  visit(subtree, (at) => {
    if (at.kind === 'leaf') {
      const { leafNode } = at
      if (leafNode !== undefined) nodes[2 * at.firstLeaf] = { nodeType: NodeType.leaf, leafNode }
    } else {
      const { parentNode } = at
      const index = 2 * at.firstLeaf + 2 ** at.level - 1
      if (parentNode !== undefined) nodes[index] = { nodeType: NodeType.parent, parentNode }
    }
  })
}

/** The leaf in the place of the one that stood there, or none if it is blank. */
function withLeafAmong(leaves: readonly LeafSubtree[], leaf: LeafSubtree): readonly LeafSubtree[] {
  const at = leaves.findLastIndex(({ firstLeaf }) => firstLeaf < leaf.firstLeaf) + 1
  const before = leaves[at]?.firstLeaf === leaf.firstLeaf ? 1 : 0
  return leaf.isBlank ? leaves.toSpliced(at, before) : leaves.toSpliced(at, before, leaf)
}

function leavesIn(root: Subtree): readonly LeafSubtree[] {
  const leaves: LeafSubtree[] = []
  visit(root, (subtree) => {
    if (subtree.kind === 'leaf') leaves.push(subtree)
  })
  return leaves
}
