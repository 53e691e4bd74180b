import { type Bytes, fromHex } from '../../src/codec/bytes.ts'
import { level, type NodeIndex, nodeOfLeaf, parent, root } from '../../src/mls/treeMath.ts'
import type { LeafIndex, LeafNode, Node, ParentNode, RatchetTree } from '../../src/wire/index.ts'
import { CredentialType, LeafNodeSource, NodeType } from '../../src/wire/registry.ts'

export function bytesOf(hex: string): Bytes {
  return fromHex(hex)
}

export interface LeafTraits {
  readonly encryptionKey: Bytes
  readonly signatureKey: Bytes
  readonly extensions: readonly number[]
  readonly proposals: readonly number[]
  readonly credentials: readonly number[]
  readonly credentialType: typeof CredentialType.basic | typeof CredentialType.x509
  /** Whether a commit has brought it, and not an Update. */
  readonly committed: boolean
}

/** A leaf node of which nobody asks whether it is signed. */
export function leafNodeOf(traits: LeafTraits): LeafNode {
  const { extensions, proposals, credentials, credentialType } = traits
  return {
    encryptionKey: traits.encryptionKey,
    signatureKey: traits.signatureKey,
    credential:
      credentialType === CredentialType.basic
        ? { credentialType, identity: traits.signatureKey }
        : { credentialType, certificates: [{ certData: traits.signatureKey }] },
    capabilities: { versions: [1], cipherSuites: [1], extensions, proposals, credentials },
    ...(traits.committed
      ? { leafNodeSource: LeafNodeSource.commit, parentHash: traits.encryptionKey }
      : { leafNodeSource: LeafNodeSource.update }),
    extensions: [],
    signature: traits.signatureKey,
  }
}

/** The ratchet tree as the RFC tells it: an array of nodes, changed in place (§7.7, §12.1). */
export class TreeModel {
  #nodes: (Node | undefined)[]

  constructor(founder: LeafNode) {
    this.#nodes = [leaf(founder)]
  }

  get leafCount(): number {
    return (this.#nodes.length + 1) / 2
  }

  get members(): readonly LeafIndex[] {
    return this.#nodes.flatMap((node, index) =>
      index % 2 === 0 && node !== undefined ? [(index / 2) as LeafIndex] : [],
    )
  }

  /** §12.4.3.3: without the blanks at its end. */
  get ratchetTree(): RatchetTree {
    const end = this.#nodes.findLastIndex((node) => node !== undefined) + 1
    return this.#nodes.slice(0, end)
  }

  add(leafNode: LeafNode): void {
    let free = this.#nodes.findIndex((node, index) => index % 2 === 0 && node === undefined)
    if (free < 0) {
      free = this.#nodes.length + 1
      this.#nodes = [...this.#nodes, ...new Array(this.#nodes.length + 1).fill(undefined)]
    }
    const leafIndex = (free / 2) as LeafIndex
    this.#nodes[free] = leaf(leafNode)
    for (const above of this.#directPath(leafIndex)) {
      const node = this.#parentNode(above)
      if (node === undefined) continue
      const unmergedLeaves = [...node.unmergedLeaves, leafIndex].sort((a, b) => a - b)
      this.#nodes[above] = parentOf({ ...node, unmergedLeaves })
    }
  }

  update(leafIndex: LeafIndex, leafNode: LeafNode): void {
    this.#blankPath(leafIndex)
    this.#nodes[2 * leafIndex] = leaf(leafNode)
  }

  remove(leafIndex: LeafIndex): void {
    this.#blankPath(leafIndex)
    this.#nodes[2 * leafIndex] = undefined
    while (this.leafCount > 1 && this.members.every((member) => member < this.leafCount / 2)) {
      this.#nodes = this.#nodes.slice(0, this.leafCount - 1)
    }
  }

  /** A path with `keys` for as many nodes as it has, from the leaf upwards. */
  path(leafIndex: LeafIndex, leafNode: LeafNode, keys: (nth: number) => Bytes): void {
    const filtered = this.#directPath(leafIndex).filter((above, i, path) => {
      const onPath = i === 0 ? 2 * leafIndex : (path[i - 1] as number)
      return this.#holdsAnything(above, onPath)
    })
    this.update(leafIndex, leafNode)
    filtered.forEach((above, i) => {
      const key = keys(i)
      this.#nodes[above] = parentOf({ encryptionKey: key, parentHash: key, unmergedLeaves: [] })
    })
  }

  /** Whether any node stands below `above` on the side that `onPath` is not on. */
  #holdsAnything(above: number, onPath: number): boolean {
    const width = 2 ** level(above as NodeIndex) - 1
    const [from, to] = onPath < above ? [above + 1, above + width] : [above - width, above - 1]
    return this.#nodes.slice(from, to + 1).some((node) => node !== undefined)
  }

  #blankPath(leafIndex: LeafIndex): void {
    for (const above of this.#directPath(leafIndex)) this.#nodes[above] = undefined
  }

  #directPath(leafIndex: LeafIndex): readonly number[] {
    const path: number[] = []
    let at = nodeOfLeaf(leafIndex)
    while (at !== root(this.leafCount)) {
      at = parent(at, this.leafCount) as NodeIndex
      path.push(at)
    }
    return path
  }

  #parentNode(index: number): ParentNode | undefined {
    const node = this.#nodes[index]
    return node?.nodeType === NodeType.parent ? node.parentNode : undefined
  }
}

function leaf(leafNode: LeafNode): Node {
  return { nodeType: NodeType.leaf, leafNode }
}

function parentOf(parentNode: ParentNode): Node {
  return { nodeType: NodeType.parent, parentNode }
}
