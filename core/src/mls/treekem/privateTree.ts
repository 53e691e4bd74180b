import { equalBytes } from '../../codec/bytes.ts'
import type { HpkeKeyPair } from '../../crypto/secret/secretSuite.ts'
import type { LeafIndex } from '../../wire/ratchetTree.ts'
import type { PublicTree } from '../treesync/publicTree.ts'
import { holds, type Subtree } from '../treesync/subtree.ts'

/**
 * The private keys that one member has: its leaf's and those of ancestors whose secret reached it
 * (RFC 9420 §4.2). Key pairs are shared between the values of consecutive epochs; whoever drops a
 * value wipes what the other does not have.
 */
export class PrivateTree {
  readonly leafIndex: LeafIndex
  /** By level above the leaf, which is level 0. */
  readonly #keys: ReadonlyMap<number, HpkeKeyPair>

  constructor(leafIndex: LeafIndex, keys: ReadonlyMap<number, HpkeKeyPair>) {
    this.leafIndex = leafIndex
    this.#keys = keys
  }

  /** All keys with the level above the leaf at which each stands. */
  entries(): IterableIterator<[level: number, key: HpkeKeyPair]> {
    return this.#keys.entries()
  }

  /** Whether `key` is our leaf's. */
  isLeafKey(key: HpkeKeyPair): boolean {
    return this.#keys.get(0) === key
  }

  /** The private key of `node`, if it is ours and still the one that the tree shows. */
  keyOf(node: Subtree): HpkeKeyPair | undefined {
    const { encryptionKey } = node
    const key = this.#keys.get(node.level)
    if (key === undefined || encryptionKey === undefined || !holds(node, this.leafIndex)) {
      return undefined
    }
    return equalBytes(key.publicKey, encryptionKey) ? key : undefined
  }

  /** With `fresh` keys, and without those whose node `tree` has blanked or replaced. */
  updatedTo(tree: PublicTree, fresh: ReadonlyMap<number, HpkeKeyPair>): PrivateTree {
    const candidates = new PrivateTree(this.leafIndex, new Map([...this.#keys, ...fresh]))
    const kept = new Map<number, HpkeKeyPair>()
    let at: Subtree = tree.root
    for (;;) {
      const key = candidates.keyOf(at)
      if (key !== undefined) kept.set(at.level, key)
      if (at.kind === 'leaf') break
      at = holds(at.left, this.leafIndex) ? at.left : at.right
    }
    return new PrivateTree(this.leafIndex, kept)
  }

  /** Wipes every key that `kept` does not share. */
  wipeAllBut(kept: PrivateTree | undefined): void {
    const shared = new Set(kept === undefined ? [] : kept.#keys.values())
    for (const key of this.#keys.values()) if (!shared.has(key)) key.privateKey.wipe()
  }
}
