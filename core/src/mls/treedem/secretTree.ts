import { utf8 } from '../../codec/bytes.ts'
import { deriveTreeSecret, expandWithLabel } from '../../crypto/secret/labels.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { LeafIndex } from '../../wire/ratchetTree.ts'
import { MlsError } from '../mlsError.ts'
import { ancestorOf, left, level, type NodeIndex, right, root } from '../treeMath.ts'

export type RatchetType = 'handshake' | 'application'

export interface MessageKey {
  readonly generation: number
  readonly key: Secret
  readonly nonce: Secret
}

/** How far a sender may be ahead of what we last saw of it, in generations. */
const maxForwardSteps = 1024
/** Keys kept per ratchet for messages that come out of order. */
const maxKeptKeys = 256

/**
 * RFC 9420 §9: one epoch's tree of message secrets. It is consumed in place: whatever has been used
 * to derive something is wiped at once (§9.2), so what was sent before cannot be derived again.
 */
export class SecretTree {
  readonly #crypto: SecretSuite
  readonly #leafCount: number
  readonly #nodes = new Map<NodeIndex, Secret>()
  readonly #ratchets = new Map<string, Ratchet>()

  /** Takes ownership of `encryptionSecret`. */
  constructor(crypto: SecretSuite, encryptionSecret: Secret, leafCount: number) {
    this.#crypto = crypto
    this.#leafCount = leafCount
    this.#nodes.set(root(leafCount), encryptionSecret)
  }

  /** The next key of our own ratchet, for sending. */
  next(leaf: LeafIndex, type: RatchetType): MessageKey {
    return this.#ratchet(leaf, type).next()
  }

  /**
   * The key of one generation. It is the caller's, and must be given back with `restore` where the
   * message turned out to be a forgery.
   * @throws MlsError `secret-tree-exhausted` for a generation that was used, or lies too far ahead
   */
  take(leaf: LeafIndex, type: RatchetType, generation: number): MessageKey {
    return this.#ratchet(leaf, type).take(generation)
  }

  /** Keeps the key of a message that failed, so that a forgery does not lose the real one. */
  restore(leaf: LeafIndex, type: RatchetType, key: MessageKey): void {
    this.#ratchet(leaf, type).keep(key)
  }

  wipe(): void {
    for (const secret of this.#nodes.values()) secret.wipe()
    for (const ratchet of this.#ratchets.values()) ratchet.wipe()
    this.#nodes.clear()
    this.#ratchets.clear()
  }

  #ratchet(leaf: LeafIndex, type: RatchetType): Ratchet {
    const name = `${type} ${leaf}`
    const known = this.#ratchets.get(name)
    if (known !== undefined) return known
    const leafSecret = this.#leafSecret(leaf)
    const { Nh } = this.#crypto.suite
    for (const each of ['handshake', 'application'] as const) {
      const first = expandWithLabel(this.#crypto, leafSecret, each, new Uint8Array(0), Nh)
      this.#ratchets.set(`${each} ${leaf}`, new Ratchet(this.#crypto, first))
    }
    leafSecret.wipe()
    return this.#ratchets.get(name) as Ratchet
  }

  /** Splits every secret between the lowest one we still have and the leaf. */
  #leafSecret(leaf: LeafIndex): Secret {
    if (leaf >= this.#leafCount) {
      throw new MlsError('message-sender-unknown', 'no such leaf in the secret tree')
    }
    let k = 0
    while (!this.#nodes.has(ancestorOf(leaf, k)) && k < 31) k++
    for (; k > 0; k--) this.#split(ancestorOf(leaf, k))
    const node = ancestorOf(leaf, 0)
    const secret = this.#nodes.get(node)
    if (secret === undefined) {
      throw new MlsError('secret-tree-exhausted', "the leaf's secret is used up")
    }
    this.#nodes.delete(node)
    return secret
  }

  #split(node: NodeIndex): void {
    const secret = this.#nodes.get(node)
    if (secret === undefined || level(node) === 0) return
    const { Nh } = this.#crypto.suite
    const child = (label: string) => expandWithLabel(this.#crypto, secret, 'tree', utf8(label), Nh)
    this.#nodes.set(left(node) as NodeIndex, child('left'))
    this.#nodes.set(right(node) as NodeIndex, child('right'))
    this.#nodes.delete(node)
    secret.wipe()
  }
}

/** §9.1: a chain of secrets; each generation gives one key and nonce and then goes. */
class Ratchet {
  readonly #crypto: SecretSuite
  #secret: Secret
  #generation = 0
  readonly #kept = new Map<number, MessageKey>()

  constructor(crypto: SecretSuite, secret: Secret) {
    this.#crypto = crypto
    this.#secret = secret
  }

  next(): MessageKey {
    const generation = this.#generation
    const derive = (label: string, length: number) =>
      deriveTreeSecret(this.#crypto, this.#secret, label, generation, length)
    const { Nk, Nn, Nh } = this.#crypto.suite
    const message = { generation, key: derive('key', Nk), nonce: derive('nonce', Nn) }
    const following = derive('secret', Nh)
    this.#secret.wipe()
    this.#secret = following
    this.#generation += 1
    return message
  }

  take(generation: number): MessageKey {
    const kept = this.#kept.get(generation)
    if (kept !== undefined) {
      this.#kept.delete(generation)
      return kept
    }
    if (generation < this.#generation || generation > this.#generation + maxForwardSteps) {
      throw new MlsError('secret-tree-exhausted', `no key for generation ${generation}`)
    }
    while (this.#generation < generation) this.keep(this.next())
    return this.next()
  }

  keep(key: MessageKey): void {
    this.#kept.set(key.generation, key)
    if (this.#kept.size <= maxKeptKeys) return
    const [oldest] = this.#kept.keys()
    if (oldest === undefined) return
    wipeKey(this.#kept.get(oldest))
    this.#kept.delete(oldest)
  }

  wipe(): void {
    this.#secret.wipe()
    for (const key of this.#kept.values()) wipeKey(key)
    this.#kept.clear()
  }
}

function wipeKey(key: MessageKey | undefined): void {
  key?.key.wipe()
  key?.nonce.wipe()
}
