import type { Secret } from '../../crypto/secret/secret.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import type { MessageSecrets } from '../treedem/privateMessage.ts'
import type { PublicTree } from '../treesync/publicTree.ts'
import type { Retention } from './retention.ts'

/** What is left of an epoch that is over: enough to open others' late application messages. */
export interface PastEpoch {
  readonly groupContext: GroupContext
  readonly tree: PublicTree
  readonly messages: MessageSecrets
  /** Milliseconds since the Unix epoch. */
  readonly endedAt: number
}

/** What is kept of a group's past epochs, by count and by time. It goes with the group from epoch to epoch. */
export class History {
  readonly #retention: Retention
  /** The newest first. */
  #past: readonly PastEpoch[]
  #resumptionPsks: ReadonlyMap<bigint, Secret>

  constructor(
    retention: Retention,
    past: readonly PastEpoch[] = [],
    resumptionPsks: ReadonlyMap<bigint, Secret> = new Map(),
  ) {
    this.#retention = retention
    this.#past = past
    this.#resumptionPsks = resumptionPsks
  }

  get pastEpochs(): readonly PastEpoch[] {
    return this.#past
  }
  get resumptionPsks(): ReadonlyMap<bigint, Secret> {
    return this.#resumptionPsks
  }

  /** Takes over what may be kept of an epoch that has ended, and wipes what is no longer to be kept. */
  retire(ended: PastEpoch, resumptionPsk: Secret): void {
    // What we sent ourselves nobody needs to open here, and nothing is sent any more.
    ended.messages.secretTree.forgetOwn()
    this.#past = [ended, ...this.#past]
    this.#resumptionPsks = new Map(this.#resumptionPsks).set(
      ended.groupContext.epoch,
      resumptionPsk.copy(),
    )
    this.prune(ended.endedAt)
  }

  /** The epoch's message secrets, if they are still kept. */
  find(epoch: bigint, nowMs: number): PastEpoch | undefined {
    this.prune(nowMs)
    return this.#past.find(({ groupContext }) => groupContext.epoch === epoch)
  }

  /** Wipes what has been kept long enough. */
  prune(nowMs: number): void {
    const { pastEpochs, pastEpochMs, resumptionPsks } = this.#retention
    const kept = this.#past.filter(
      ({ endedAt }, age) => age < pastEpochs && nowMs - endedAt < pastEpochMs,
    )
    for (const past of this.#past) if (!kept.includes(past)) wipeMessages(past.messages)
    this.#past = kept
    const epochs = [...this.#resumptionPsks.keys()].sort((a, b) => (a < b ? 1 : -1))
    const outdated = epochs.slice(resumptionPsks)
    if (outdated.length === 0) return
    const remaining = new Map(this.#resumptionPsks)
    for (const epoch of outdated) {
      remaining.get(epoch)?.wipe()
      remaining.delete(epoch)
    }
    this.#resumptionPsks = remaining
  }

  wipe(): void {
    for (const { messages } of this.#past) wipeMessages(messages)
    for (const psk of this.#resumptionPsks.values()) psk.wipe()
    this.#past = []
    this.#resumptionPsks = new Map()
  }
}

export function wipeMessages({ senderDataSecret, secretTree }: MessageSecrets): void {
  senderDataSecret.wipe()
  secretTree.wipe()
}
