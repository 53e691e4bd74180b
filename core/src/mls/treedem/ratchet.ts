import { deriveTreeSecret } from '../../crypto/secret/labels.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import { MlsError } from '../mlsError.ts'

/** What an AEAD is keyed with, owned by whoever holds this value. */
export interface KeyAndNonce {
  readonly key: Secret
  readonly nonce: Secret
}

export interface MessageKey extends KeyAndNonce {
  readonly generation: number
}

export interface RatchetLimits {
  /** How many generations a sender may be ahead of the last that was accepted from it. */
  readonly maxForwardGenerations: number
  /** How many keys of generations that were skipped are kept, the newest ones. */
  readonly maxKeptKeys: number
}

export interface RatchetHead {
  readonly generation: number
  readonly secret: Secret
}

export interface RatchetState {
  /** Undefined where the ratchet has come to its end. */
  readonly head: RatchetHead | undefined
  /** In the order of their generations. */
  readonly kept: readonly MessageKey[]
}

/** The key of one generation, and what the ratchet becomes when the message proves genuine. */
export interface RatchetPreview {
  readonly key: MessageKey
  readonly skipped: readonly MessageKey[]
  readonly following: RatchetHead | undefined
}

const maxGeneration = 2 ** 32 - 1

/** RFC 9420 §9.1: a chain of secrets; each generation gives one key and nonce and then goes. */
export class Ratchet {
  readonly #crypto: SecretSuite
  readonly #limits: RatchetLimits
  #head: RatchetHead | undefined
  /** The first generation that is not ours to send with before it has been reserved. */
  #reservedTo: number | undefined
  readonly #kept = new Map<number, MessageKey>()

  /** Takes ownership of all secrets in `state`. */
  constructor(crypto: SecretSuite, limits: RatchetLimits, state: RatchetState) {
    this.#crypto = crypto
    this.#limits = limits
    this.#head = state.head
    this.#keep(state.kept)
  }

  /** Secrets that stay the ratchet's own. */
  get state(): RatchetState {
    return { head: this.#head, kept: [...this.#kept.values()] }
  }

  /** Sets the next `count` generations aside for `next`, which gives no others from now on. */
  reserve(count: number): void {
    if (this.#head === undefined) return
    this.#reservedTo = Math.max(this.#reservedTo ?? 0, this.#head.generation + count)
  }

  /** What is to be stored of a ratchet for sending: it goes on after what is reserved. It is the caller's. */
  afterReserved(): RatchetState {
    let head = this.#head && { ...this.#head, secret: this.#head.secret.copy() }
    while (head !== undefined && head.generation < (this.#reservedTo ?? 0)) head = this.#step(head)
    return { head, kept: [] }
  }

  /**
   * The next generation's key, for sending; nothing of it is kept.
   * @throws MlsError `secret-tree-exhausted` after generation 2^32 - 1, `generations-unreserved`
   */
  next(): MessageKey {
    if (this.#head === undefined) {
      throw new MlsError('secret-tree-exhausted', 'the ratchet has no generation left')
    }
    if (this.#head.generation === this.#reservedTo) {
      throw new MlsError('generations-unreserved', 'the stored state would use this key again', {
        remedy: 'Reserve generations and store the state before sending.',
      })
    }
    const key = this.#keyOf(this.#head)
    this.#head = this.#step(this.#head)
    return key
  }

  /**
   * The key of any generation within the limits. Nothing changes until the preview is applied.
   * @throws MlsError `message-key-consumed`, `message-generation-too-far`
   */
  preview(generation: number): RatchetPreview {
    const kept = this.#kept.get(generation)
    if (kept !== undefined) {
      const key = { generation, key: kept.key.copy(), nonce: kept.nonce.copy() }
      return { key, skipped: [], following: undefined }
    }
    if (this.#head === undefined || generation < this.#head.generation) throw consumed(generation)
    const { maxForwardGenerations, maxKeptKeys } = this.#limits
    if (generation - this.#head.generation > maxForwardGenerations) {
      throw new MlsError(
        'message-generation-too-far',
        `generation ${generation} where ${this.#head.generation} is expected`,
      )
    }
    const skipped: MessageKey[] = []
    let at: RatchetHead = { ...this.#head, secret: this.#head.secret.copy() }
    while (at.generation < generation) {
      if (generation - at.generation <= maxKeptKeys) skipped.push(this.#keyOf(at))
      at = this.#step(at) as RatchetHead
    }
    return { key: this.#keyOf(at), skipped, following: this.#step(at) }
  }

  /**
   * Takes `preview` in, which may be older than what the ratchet has accepted meanwhile. Its own key
   * stays the caller's.
   * @throws MlsError `message-key-consumed`; the preview is discarded then
   */
  apply(preview: RatchetPreview): void {
    const { generation } = preview.key
    const kept = this.#kept.get(generation)
    if (kept !== undefined) {
      this.#kept.delete(generation)
      wipeKey(kept)
      discard(preview)
      return
    }
    const head = this.#head
    if (head === undefined || generation < head.generation) {
      discard(preview)
      throw consumed(generation)
    }
    for (const key of preview.skipped) if (key.generation < head.generation) wipeKey(key)
    head.secret.wipe()
    this.#head = preview.following
    this.#keep(preview.skipped.filter((key) => key.generation >= head.generation))
  }

  wipe(): void {
    this.#head?.secret.wipe()
    this.#head = undefined
    for (const key of this.#kept.values()) wipeKey(key)
    this.#kept.clear()
  }

  #keep(keys: readonly MessageKey[]): void {
    for (const key of keys) this.#kept.set(key.generation, key)
    for (const [generation, key] of this.#kept) {
      if (this.#kept.size <= this.#limits.maxKeptKeys) return
      wipeKey(key)
      this.#kept.delete(generation)
    }
  }

  #keyOf({ generation, secret }: RatchetHead): MessageKey {
    const { Nk, Nn } = this.#crypto.suite
    return {
      generation,
      key: deriveTreeSecret(this.#crypto, secret, 'key', generation, Nk),
      nonce: deriveTreeSecret(this.#crypto, secret, 'nonce', generation, Nn),
    }
  }

  /** Wipes what it steps from. */
  #step({ generation, secret }: RatchetHead): RatchetHead | undefined {
    const { Nh } = this.#crypto.suite
    const following =
      generation === maxGeneration
        ? undefined
        : {
            generation: generation + 1,
            secret: deriveTreeSecret(this.#crypto, secret, 'secret', generation, Nh),
          }
    secret.wipe()
    return following
  }
}

export function wipeKey({ key, nonce }: KeyAndNonce): void {
  key.wipe()
  nonce.wipe()
}

/** Wipes what a preview has derived for the ratchet; the key itself is its caller's. */
export function discard({ skipped, following }: RatchetPreview): void {
  for (const key of skipped) wipeKey(key)
  following?.secret.wipe()
}

function consumed(generation: number): MlsError {
  return new MlsError('message-key-consumed', `the key of generation ${generation} is gone`)
}
