import { utf8 } from '../../codec/bytes.ts'
import { expandWithLabel } from '../../crypto/secret/labels.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { LeafIndex } from '../../wire/ratchetTree.ts'
import { ancestorOf, left, level, type NodeIndex, right, root } from '../treeMath.ts'

export interface NodeSecret {
  readonly node: NodeIndex
  readonly secret: Secret
}

interface Split {
  readonly node: NodeIndex
  readonly left: Secret
  readonly right: Secret
}

/** The way down to a leaf's secret, derived but not yet taken. */
export interface Descent {
  readonly leaf: LeafIndex
  /** The leaf's secret, to derive from at once and not to be kept. */
  readonly secret: Secret
  readonly splits: readonly Split[]
}

const leftLabel = utf8('left')
const rightLabel = utf8('right')

/**
 * RFC 9420 §9: a binary tree of secrets, of which only what is needed for the leaves that have not
 * been taken is there (§9.2): a node stands for all the leaves below it until one of them is taken.
 */
export class NodeSecrets {
  readonly #crypto: SecretSuite
  readonly #leafCount: number
  readonly #nodes: Map<NodeIndex, Secret>

  /** Takes ownership of the secrets; `leafCount` is a power of two. */
  constructor(crypto: SecretSuite, leafCount: number, nodes: readonly NodeSecret[]) {
    this.#crypto = crypto
    this.#leafCount = leafCount
    this.#nodes = new Map(nodes.map(({ node, secret }) => [node, secret]))
  }

  /** In the order of their nodes; they stay this tree's own. */
  get nodes(): readonly NodeSecret[] {
    const nodes = Array.from(this.#nodes, ([node, secret]) => ({ node, secret }))
    return nodes.sort((a, b) => a.node - b.node)
  }

  /** Nothing changes until the descent is consumed; undefined where the leaf has been taken. */
  descend(leaf: LeafIndex): Descent | undefined {
    if (leaf >= this.#leafCount) return undefined
    const rootLevel = level(root(this.#leafCount))
    let k = 0
    while (k < rootLevel && !this.#nodes.has(ancestorOf(leaf, k))) k++
    let secret = this.#nodes.get(ancestorOf(leaf, k))
    if (secret === undefined) return undefined
    const splits: Split[] = []
    for (; k > 0; k--) {
      const split = this.#split(ancestorOf(leaf, k), secret)
      splits.push(split)
      secret = left(split.node) === ancestorOf(leaf, k - 1) ? split.left : split.right
    }
    return { leaf, secret, splits }
  }

  /** Takes the leaf's secret, which is the caller's then; undefined where somebody else took it. */
  consume({ leaf, splits }: Descent): Secret | undefined {
    for (const split of splits) {
      const secret = this.#nodes.get(split.node)
      if (secret === undefined) {
        wipeSplit(split)
        continue
      }
      secret.wipe()
      this.#nodes.delete(split.node)
      this.#nodes.set(left(split.node) as NodeIndex, split.left)
      this.#nodes.set(right(split.node) as NodeIndex, split.right)
    }
    const node = ancestorOf(leaf, 0)
    const secret = this.#nodes.get(node)
    this.#nodes.delete(node)
    return secret
  }

  discard({ splits }: Descent): void {
    for (const split of splits) wipeSplit(split)
  }

  wipe(): void {
    for (const secret of this.#nodes.values()) secret.wipe()
    this.#nodes.clear()
  }

  #split(node: NodeIndex, secret: Secret): Split {
    const child = (side: typeof leftLabel) =>
      expandWithLabel(this.#crypto, secret, 'tree', side, this.#crypto.suite.Nh)
    return { node, left: child(leftLabel), right: child(rightLabel) }
  }
}

function wipeSplit(split: Split): void {
  split.left.wipe()
  split.right.wipe()
}
