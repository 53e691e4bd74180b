import type { Bytes } from '../../codec/bytes.ts'
import type { LeafIndex } from '../../wire/ratchetTree.ts'
import { KeyIndex } from './keyIndex.ts'
import type { PackedBytes } from './packedBytes.ts'
import { holds, LeafSubtree, parentKey, type Subtree } from './subtree.ts'

/** A leaf, or a parent's encoded keys: what brings an encryption key into a tree. */
type KeyHolder = LeafSubtree | PackedBytes

/**
 * All keys of a tree by their bytes, so that a commit need not look at every node to see whether
 * its keys are new. Immutable, like the tree.
 */
export class TreeKeys {
  readonly #encryption: KeyIndex<KeyHolder>
  readonly #signature: KeyIndex<LeafSubtree>

  private constructor(encryption: KeyIndex<KeyHolder>, signature: KeyIndex<LeafSubtree>) {
    this.#encryption = encryption
    this.#signature = signature
  }

  static in(root: Subtree): TreeKeys {
    const holders: KeyHolder[] = []
    collect(root, holders)
    return new TreeKeys(
      KeyIndex.of(encryptionKey, holders),
      KeyIndex.of(signatureKey, holders.filter(isLeaf)),
    )
  }

  /** Whether a leaf or a parent has this key. */
  hasEncryptionKey(key: Bytes): boolean {
    return this.#encryption.find(key) !== undefined
  }

  /** The leaf with this key, if there is one. */
  memberWithSignatureKey(key: Bytes): LeafIndex | undefined {
    return this.#signature.find(key)?.firstLeaf
  }

  /** Whether two nodes have the same encryption key. */
  get hasEncryptionKeyTwice(): boolean {
    return this.#encryption.duplicates > 0
  }

  /** Whether two leaves have the same encryption key. Takes time for each leaf. */
  get hasLeafKeyTwice(): boolean {
    const leaves = [...this.#encryption].filter(isLeaf)
    return KeyIndex.of(encryptionKey, leaves).duplicates > 0
  }

  get hasSignatureKeyTwice(): boolean {
    return this.#signature.duplicates > 0
  }

  /** Those of a tree that differs only in `leaf` and its direct path. */
  after(leaf: LeafIndex, before: Subtree, now: Subtree): TreeKeys {
    const old = new Set(onPath(before, leaf))
    const fresh = onPath(now, leaf).filter((holder) => !old.delete(holder))
    let encryption = this.#encryption
    let signature = this.#signature
    for (const holder of old) {
      encryption = encryption.without(holder)
      if (isLeaf(holder)) signature = signature.without(holder)
    }
    for (const holder of fresh) {
      encryption = encryption.with(holder)
      if (isLeaf(holder)) signature = signature.with(holder)
    }
    return new TreeKeys(encryption, signature)
  }
}

function isLeaf(holder: KeyHolder): holder is LeafSubtree {
  return holder instanceof LeafSubtree
}

function encryptionKey(holder: KeyHolder): Bytes {
  return isLeaf(holder) ? (holder.encryptionKey as Bytes) : parentKey(holder)
}

function signatureKey(leaf: LeafSubtree): Bytes {
  return leaf.signatureKey as Bytes
}

function collect(subtree: Subtree, holders: KeyHolder[]): void {
  if (subtree.isBlank) return
  if (subtree.kind === 'leaf') {
    holders.push(subtree)
    return
  }
  if (subtree.keys !== undefined) holders.push(subtree.keys)
  collect(subtree.left, holders)
  collect(subtree.right, holders)
}

/** What holds a key on the direct path of `leaf`, from the root down to the leaf itself. */
function onPath(root: Subtree, leaf: LeafIndex): readonly KeyHolder[] {
  const holders: KeyHolder[] = []
  let at = root
  while (at.kind === 'parent') {
    if (at.keys !== undefined) holders.push(at.keys)
    at = holds(at.left, leaf) ? at.left : at.right
  }
  if (!at.isBlank) holders.push(at)
  return holders
}
