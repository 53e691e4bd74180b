import { Lane } from '@conclave/core'
import { decode, toHex } from '@conclave/core/codec'
import type { Signer } from '@conclave/core/crypto/secret'
import type { CommitEffect, Group, GroupEnvironment } from '@conclave/core/mls/group'
import { ContentType, type LeafIndex, MlsMessage, WireFormat } from '@conclave/core/wire'
import type { Epoch } from '../../../core/src/mls/group/epoch.ts'
import { restoreEpoch } from '../../../core/src/mls/group/state.ts'
import { Adversary, type Passage } from '../../../core/test/mls/evolution/adversary.ts'
import type { Life } from '../people/life.ts'
import { Violation } from '../violation.ts'
import type { LogHistory } from './logHistory.ts'

/** Bounds what a run costs: an adversary tries every key on every ciphertext. */
const mostOutsiders = 4

/** What it would be worth to try if members left the commit secret out of the key schedule. */
const noCommitSecret = new Set(['00'.repeat(32)])

interface Outsider {
  readonly name: string
  readonly adversary: Adversary
  readonly groupId: string
  /** The leaf whose state it has. */
  readonly leaf: LeafIndex
  /** The epoch whose end it follows next. */
  next: bigint
  /** The last epoch that it may know; undefined while it may go on. */
  until: bigint | undefined
}

/**
 * Those who have a member's state and should learn nothing by it any more: once the member has made
 * another path, or is removed. Until then they should be able to go on, or they prove nothing.
 */
export class Outsiders {
  readonly #environment: GroupEnvironment
  readonly #history: LogHistory
  /** By group and the epoch that they end: members see them at different times. */
  readonly #passages = new Map<string, Passage>()
  readonly #authenticators = new Map<string, string>()
  readonly #states = new Map<Life, { readonly epoch: Epoch; readonly leaf: LeafIndex }>()
  readonly #lane = new Lane()
  #outsiders: Outsider[] = []
  #watched = 0
  /** How many have been kept out of how many epochs. */
  keptOut = 0

  constructor(environment: GroupEnvironment, history: LogHistory) {
    this.#environment = environment
    this.#history = history
  }

  /** Somebody copies all that this member holds. */
  async rob(life: Life): Promise<void> {
    const { group } = life
    if (group === undefined || this.#isFull) return
    await this.#watch(`who robbed ${life.name}`, this.#copyOf(group), group.leafIndex)
  }

  /** A member is in a new epoch. Of a few it is kept what they have, for when they are none. */
  remember(life: Life, group: Group): void {
    if (!this.#states.has(life) && this.#states.size >= mostOutsiders / 2) return
    this.#states.set(life, { epoch: this.#copyOf(group), leaf: group.leafIndex })
  }

  /** The member is gone, and whoever has its device tries what can be done with it. */
  async gone(life: Life): Promise<void> {
    const state = this.#states.get(life)
    this.#states.delete(life)
    if (state === undefined || this.#isFull) return
    await this.#watch(`who was ${life.name}`, state.epoch, state.leaf)
  }

  /**
   * The group has gone on, as somebody in it has seen.
   * @throws Violation `outsider-knows`, `outsider-unable`
   */
  async passed(group: Group, effect: CommitEffect): Promise<void> {
    const groupId = toHex(group.groupId)
    const name = `${groupId} ${group.epoch}`
    if (this.#authenticators.has(name)) return
    this.#authenticators.set(name, toHex(group.epochAuthenticator))
    const commit = this.#history.commitOf(group.groupId, group.epoch - 1n)
    const passage = commit && passageOf(commit.message, group, effect)
    if (passage === undefined || !this.#history.isStraight(group.groupId)) {
      this.#giveUpOn(groupId)
      return
    }
    this.#passages.set(`${groupId} ${passage.epoch}`, passage)
    await this.#lane.run(async () => {
      for (const outsider of this.#outsiders) await this.#follow(outsider)
    })
  }

  /** What is undone or lost can be followed another way: nothing is to be said of it. */
  #giveUpOn(groupId: string): void {
    this.#outsiders = this.#outsiders.filter((outsider) => outsider.groupId !== groupId)
    this.#states.clear()
  }

  get #isFull(): boolean {
    return this.#watched >= mostOutsiders
  }

  async #watch(name: string, state: Epoch, leaf: LeafIndex): Promise<void> {
    const { groupContext } = state.public
    if (!this.#history.isStraight(groupContext.groupId)) return
    this.#watched += 1
    const groupId = toHex(groupContext.groupId)
    const outsider: Outsider = {
      name,
      adversary: new Adversary(state, noCommitSecret),
      groupId,
      leaf,
      next: groupContext.epoch,
      until: undefined,
    }
    await this.#lane.run(async () => {
      await this.#follow(outsider)
      this.#outsiders.push(outsider)
    })
  }

  /** As far as anybody has seen. */
  async #follow(outsider: Outsider): Promise<void> {
    for (;;) {
      const passage = this.#passages.get(`${outsider.groupId} ${outsider.next}`)
      if (passage === undefined) return
      outsider.next += 1n
      await this.#tries(outsider, passage)
    }
  }

  async #tries(outsider: Outsider, passage: Passage): Promise<void> {
    const { adversary, name, leaf } = outsider
    const { committer, removed } = healingOf(passage)
    const followed = await adversary.follow(passage)
    if (outsider.until === undefined) {
      if (committer === leaf || removed.includes(leaf)) outsider.until = passage.epoch
      else if (!followed) {
        throw new Violation('outsider-unable', `${name} lost track in epoch ${passage.epoch}`)
      }
    }
    const { until } = outsider
    if (until === undefined) return
    this.keptOut += 1
    const next = passage.epoch + 1n
    const authenticator = this.#authenticators.get(`${outsider.groupId} ${next}`)
    if (adversary.reached.has(next) || adversary.known.has(authenticator ?? '')) {
      throw new Violation('outsider-knows', `${name} got into epoch ${next}`)
    }
  }

  #copyOf(group: Group): Epoch {
    const state = group.encodeState()
    const leaf = group.members.find(({ leafIndex }) => leafIndex === group.leafIndex)
    const signer: Signer = {
      publicKey: leaf?.leafNode.signatureKey ?? new Uint8Array(),
      sign: () => Promise.reject(new Error('an outsider signs nothing')),
    }
    try {
      return restoreEpoch(this.#environment, state.expose(), signer)
    } finally {
      state.wipe()
    }
  }
}

function passageOf(message: Uint8Array, group: Group, effect: CommitEffect): Passage | undefined {
  const decoded = decode(MlsMessage, message)
  if (decoded.wireFormat !== WireFormat.publicMessage) return undefined
  const { content, auth } = decoded.publicMessage
  if (content.contentType !== ContentType.commit || !('confirmationTag' in auth)) return undefined
  const { confirmationTag } = auth
  if (confirmationTag === undefined) return undefined
  const { path } = content.commit
  return { epoch: group.epoch - 1n, path, effect, context: group.groupContext, confirmationTag }
}

function healingOf({ path, effect }: Passage) {
  const { committer } = effect.proposals
  return { committer: path === undefined ? undefined : committer, removed: effect.removed }
}
