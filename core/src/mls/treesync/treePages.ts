import type { Bytes } from '../../codec/bytes.ts'
import { decode, encode } from '../../codec/tls.ts'
import { RatchetTree } from '../../wire/ratchetTree.ts'
import { MlsError } from '../mlsError.ts'
import { type EncodedNode, EncodedRatchetTree, type Subtree, visit } from './subtree.ts'

/** A page holds the nodes above and between eight leaves. */
const pageLevel = 3

/** Some of a tree's nodes that are stored together. */
export interface TreePage {
  /** The same object as long as no node of the page changes, from one epoch's tree to the next. */
  readonly nodes: object
  /** `optional<Node> nodes<V>` */
  encoded(): Bytes
}

/**
 * A tree in parts, for whoever stores it after each epoch: a commit changes the few pages on its
 * path, and the spine.
 */
export interface TreePages {
  /** From the left. */
  readonly pages: readonly TreePage[]
  /** `optional<Node> nodes<V>`: those between the pages, which change with every commit. */
  spine(): Bytes
}

export function pagesOf(root: Subtree): TreePages {
  const subtrees = pageRoots(root)
  return {
    pages: subtrees.map((subtree) => ({
      nodes: subtree,
      encoded: () => encode(EncodedRatchetTree, nodesIn(subtree)),
    })),
    spine: () => encode(EncodedRatchetTree, spineOf(root)),
  }
}

/**
 * The tree whose pages and spine these are.
 * @throws CodecError; MlsError `tree-malformed` where they are not of one tree
 */
export function ratchetTreeOf(pages: readonly Bytes[], spine: Bytes): RatchetTree {
  const between = decode(RatchetTree, spine)
  if (between.length !== pages.length - 1) {
    throw new MlsError('tree-malformed', 'a page of the tree is missing, or one too many')
  }
  const nodes = pages.flatMap((page, i) => [
    ...decode(RatchetTree, page),
    ...(i < between.length ? [between[i]] : []),
  ])
  while (nodes.length > 0 && nodes[nodes.length - 1] === undefined) nodes.pop()
  return nodes
}

function isPage(subtree: Subtree): boolean {
  return subtree.level <= pageLevel
}

function pageRoots(subtree: Subtree): readonly Subtree[] {
  return subtree.kind === 'leaf' || isPage(subtree)
    ? [subtree]
    : [...pageRoots(subtree.left), ...pageRoots(subtree.right)]
}

/** From the left; blank nodes count. */
function spineOf(subtree: Subtree): readonly (EncodedNode | undefined)[] {
  return subtree.kind === 'leaf' || isPage(subtree)
    ? []
    : [...spineOf(subtree.left), subtree.encodedNode, ...spineOf(subtree.right)]
}

function nodesIn(root: Subtree): readonly (EncodedNode | undefined)[] {
  const nodes: (EncodedNode | undefined)[] = new Array(2 ** (root.level + 1) - 1).fill(undefined)
  visit(root, (subtree) => {
    nodes[2 * (subtree.firstLeaf - root.firstLeaf) + 2 ** subtree.level - 1] = subtree.encodedNode
  })
  return nodes
}
