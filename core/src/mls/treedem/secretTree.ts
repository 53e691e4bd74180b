import { type Bytes, emptyBytes } from '../../codec/bytes.ts'
import { expandWithLabel } from '../../crypto/secret/labels.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { LeafIndex } from '../../wire/ratchetTree.ts'
import { MlsError } from '../mlsError.ts'
import { root } from '../treeMath.ts'
import { NodeSecrets } from './nodeSecrets.ts'
import { discard, type MessageKey, Ratchet, type RatchetLimits, wipeKey } from './ratchet.ts'
import { decodeSecretTree, encodeSecretTree } from './secretTreeState.ts'

export type RatchetType = 'handshake' | 'application'

/**
 * The defaults let a receiver miss a thousand messages of a sender in a row, and bound the work that
 * one message can ask for.
 */
export const defaultSecretTreeLimits: RatchetLimits = {
  maxForwardGenerations: 1024,
  maxKeptKeys: 256,
}

export interface SecretTreeShape {
  /** Of the ratchet tree, blank leaves included: a power of two. */
  readonly leafCount: number
  /** The only leaf whose ratchets give keys for sending, and none for receiving. */
  readonly ownLeaf: LeafIndex
}

/** The key of a message that has not proved genuine yet; one of `accept` and `refuse` must follow. */
export interface KeyOpening {
  readonly key: MessageKey
  /**
   * The message was genuine: its key is wiped and the ratchet stands behind it.
   * @throws MlsError `message-key-consumed` where another message has used the key meanwhile
   */
  accept(): void
  /** It was not: the key stays for the message that it belongs to. */
  refuse(): void
}

type LeafRatchets = Readonly<Record<RatchetType, Ratchet>>

/**
 * RFC 9420 §9: one epoch's tree of message secrets. It is consumed in place: whatever has been used
 * to derive something is wiped at once (§9.2), so what was sent before cannot be derived again.
 */
export class SecretTree {
  readonly #crypto: SecretSuite
  readonly #shape: SecretTreeShape
  readonly #limits: RatchetLimits
  readonly #nodes: NodeSecrets
  readonly #ratchets: Map<LeafIndex, LeafRatchets>
  #silent = false

  private constructor(
    crypto: SecretSuite,
    shape: SecretTreeShape,
    limits: RatchetLimits,
    nodes: NodeSecrets,
    ratchets: Iterable<readonly [LeafIndex, LeafRatchets]>,
  ) {
    this.#crypto = crypto
    this.#shape = shape
    this.#limits = limits
    this.#nodes = nodes
    this.#ratchets = new Map(ratchets)
  }

  /**
   * Takes ownership of `encryptionSecret`.
   * @throws MlsError `secret-tree-limits-invalid` unless both limits are whole numbers from 0 to 2^20
   */
  static create(
    crypto: SecretSuite,
    encryptionSecret: Secret,
    { leafCount, ownLeaf }: SecretTreeShape,
    limits: RatchetLimits = defaultSecretTreeLimits,
  ): SecretTree {
    checkLimits(limits)
    const nodes = new NodeSecrets(crypto, leafCount, [
      { node: root(leafCount), secret: encryptionSecret },
    ])
    return new SecretTree(crypto, { leafCount, ownLeaf }, limits, nodes, [])
  }

  /**
   * The tree that `encodeState` was called on, without the keys that smaller limits do not allow.
   * @throws CodecError, or MlsError `state-malformed`, `secret-tree-limits-invalid`
   */
  static restore(
    crypto: SecretSuite,
    state: Bytes,
    limits: RatchetLimits = defaultSecretTreeLimits,
  ): SecretTree {
    checkLimits(limits)
    const { leafCount, ownLeaf, nodes, leaves } = decodeSecretTree(crypto.suite, state)
    return new SecretTree(
      crypto,
      { leafCount, ownLeaf },
      limits,
      new NodeSecrets(crypto, leafCount, nodes),
      leaves.map(({ leaf, handshake, application }) => [
        leaf,
        {
          handshake: new Ratchet(crypto, limits, handshake),
          application: new Ratchet(crypto, limits, application),
        },
      ]),
    )
  }

  get ownLeaf(): LeafIndex {
    return this.#shape.ownLeaf
  }

  /**
   * The next key of our own ratchet, for sending. It is the caller's to wipe.
   * @throws MlsError `secret-tree-exhausted`, `generations-unreserved`
   */
  next(type: RatchetType): MessageKey {
    return this.#own()[type].next()
  }

  /**
   * The key of another member's message. Nothing changes before it is accepted.
   * @throws MlsError `message-own`, `message-sender-unknown`, `message-key-consumed`,
   * `message-generation-too-far`
   */
  open(leaf: LeafIndex, type: RatchetType, generation: number): KeyOpening {
    if (leaf === this.ownLeaf) throw new MlsError('message-own', 'the message is our own')
    if (leaf >= this.#shape.leafCount) {
      throw new MlsError('message-sender-unknown', 'no such leaf in the secret tree')
    }
    const known = this.#ratchets.get(leaf)
    return known === undefined
      ? this.#openFirst(leaf, type, generation)
      : this.#openWith(known, type, generation)
  }

  /**
   * Sets the next `count` generations of each of our own ratchets aside for this value: what
   * `encodeState` gives from now on goes on after them, and sending ends with them until more are
   * reserved.
   * @throws MlsError `secret-tree-exhausted`, `secret-tree-limits-invalid` unless `count` is a whole
   * number from 1 to 2^16
   */
  reserve(count: number): void {
    if (!Number.isInteger(count) || count < 1 || count > 2 ** 16) {
      throw new MlsError('secret-tree-limits-invalid', `${count} generations cannot be reserved`)
    }
    for (const ratchet of Object.values(this.#own())) ratchet.reserve(count)
  }

  /**
   * Nothing can be sent any more; others' messages can still be opened. Where we have sent nothing
   * there are no ratchets of ours yet, and nothing that they could open.
   */
  forgetOwn(): void {
    const { ownLeaf } = this
    const ratchets = this.#ratchets.get(ownLeaf)
    if (ratchets !== undefined) wipeRatchets(ratchets)
    this.#ratchets.delete(ownLeaf)
    this.#silent = true
  }

  /** All that is left, and nothing of what was used or is reserved. */
  encodeState(): Secret {
    const own = this.#ratchets.get(this.ownLeaf)
    const sending = own && {
      handshake: own.handshake.afterReserved(),
      application: own.application.afterReserved(),
    }
    const state = encodeSecretTree(this.#crypto.suite, {
      ...this.#shape,
      nodes: this.#nodes.nodes,
      leaves: Array.from(this.#ratchets, ([leaf, { handshake, application }]) => ({
        leaf,
        ...(leaf === this.ownLeaf && sending !== undefined
          ? sending
          : { handshake: handshake.state, application: application.state }),
      })),
    })
    sending?.handshake.head?.secret.wipe()
    sending?.application.head?.secret.wipe()
    return state
  }

  wipe(): void {
    this.#nodes.wipe()
    for (const ratchets of this.#ratchets.values()) wipeRatchets(ratchets)
    this.#ratchets.clear()
  }

  #own(): LeafRatchets {
    const known = this.#ratchets.get(this.ownLeaf)
    if (known !== undefined) return known
    if (this.#silent) throw new MlsError('secret-tree-exhausted', 'nothing is sent here any more')
    const descent = this.#nodes.descend(this.ownLeaf)
    const leafSecret = descent && this.#nodes.consume(descent)
    if (leafSecret === undefined) {
      throw new MlsError('secret-tree-exhausted', 'our own leaf secret is used up')
    }
    const ratchets = this.#ratchetsOf(leafSecret)
    leafSecret.wipe()
    this.#ratchets.set(this.ownLeaf, ratchets)
    return ratchets
  }

  #openWith(ratchets: LeafRatchets, type: RatchetType, generation: number): KeyOpening {
    const preview = ratchets[type].preview(generation)
    return opening(
      preview.key,
      () => ratchets[type].apply(preview),
      () => discard(preview),
    )
  }

  /** A leaf that has sent nothing yet: its ratchets come into being with its first genuine message. */
  #openFirst(leaf: LeafIndex, type: RatchetType, generation: number): KeyOpening {
    const descent = this.#nodes.descend(leaf)
    if (descent === undefined) {
      throw new MlsError('message-key-consumed', "the leaf's secret is gone")
    }
    const ratchets = this.#ratchetsOf(descent.secret)
    const forget = () => {
      this.#nodes.discard(descent)
      wipeRatchets(ratchets)
    }
    try {
      const preview = ratchets[type].preview(generation)
      return opening(
        preview.key,
        () => {
          const known = this.#ratchets.get(leaf)
          if (known !== undefined) {
            forget()
            return known[type].apply(preview)
          }
          const leafSecret = this.#nodes.consume(descent)
          if (leafSecret === undefined) {
            forget()
            discard(preview)
            throw new MlsError('message-key-consumed', "the leaf's secret is gone")
          }
          leafSecret.wipe()
          this.#ratchets.set(leaf, ratchets)
          ratchets[type].apply(preview)
        },
        () => {
          forget()
          discard(preview)
        },
      )
    } catch (error) {
      forget()
      throw error
    }
  }

  #ratchetsOf(leafSecret: Secret): LeafRatchets {
    const ratchet = (type: RatchetType) => {
      const { Nh } = this.#crypto.suite
      const secret = expandWithLabel(this.#crypto, leafSecret, type, emptyBytes, Nh)
      return new Ratchet(this.#crypto, this.#limits, { head: { generation: 0, secret }, kept: [] })
    }
    return { handshake: ratchet('handshake'), application: ratchet('application') }
  }
}

function opening(key: MessageKey, accepted: () => void, refused: () => void): KeyOpening {
  let settled = false
  return {
    key,
    accept: () => {
      if (settled) throw new MlsError('message-key-consumed', 'the message was settled before')
      settled = true
      wipeKey(key)
      accepted()
    },
    refuse: () => {
      if (settled) return
      settled = true
      wipeKey(key)
      refused()
    },
  }
}

function wipeRatchets({ handshake, application }: LeafRatchets): void {
  handshake.wipe()
  application.wipe()
}

function checkLimits(limits: RatchetLimits): void {
  for (const limit of [limits.maxForwardGenerations, limits.maxKeptKeys]) {
    if (!Number.isInteger(limit) || limit < 0 || limit > 2 ** 20) {
      throw new MlsError('secret-tree-limits-invalid', `${limit} is no limit for a secret tree`)
    }
  }
}
