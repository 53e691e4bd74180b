import { type Bytes, emptyBytes } from '@conclave/core/codec'
import { presenceLabel, presenceTbs, readRemovalEnvelope } from '@conclave/core/delivery'
import type { CommitEffect, Group } from '@conclave/core/mls/group'
import { SenderType } from '@conclave/core/wire'
import type { DeliveryLink } from './deliveryLink.ts'
import { refusal, type SessionError } from './sessionError.ts'

/**
 * Says to the keyserver which leaf our connection speaks for, and remembers what has happened while
 * none did: whoever is removed for that may come back.
 */
export class Presence {
  readonly #link: Pick<DeliveryLink, 'request'>
  /** Whether what is taken in now has happened while no connection of ours spoke for our leaf. */
  #away = false
  /** Where the log ended when our connection spoke for our leaf at last. */
  #attachedAt = 0
  /** The entry that proposes to remove us in this epoch. */
  #condemnedAt: number | undefined

  constructor(link: Pick<DeliveryLink, 'request'>) {
    this.#link = link
  }

  /** A new connection, that has yet to speak for our leaf. */
  connected(): void {
    this.#away = true
  }

  /**
   * @param nonce what the keyserver has given this connection
   * @returns why the keyserver does not know of our leaf, where it does not
   * @throws SessionError
   */
  async attach(group: Group, nonce: Bytes): Promise<SessionError | undefined> {
    const { groupId, leafIndex } = group
    const content = presenceTbs(groupId, leafIndex, nonce)
    const signature = await group.sign(presenceLabel, content)
    const attached = await this.#link.request('attach', { groupId, leafIndex, signature })
    if (attached.ok) {
      this.#attachedAt = attached.head ?? 0
      this.proposed(0, group)
      return undefined
    }
    const error = refusal(attached)
    if (attached.code === 'presence-invalid') return error
    throw error
  }

  /** All has been taken in that had happened before our connection spoke for our leaf. */
  caughtUp(): void {
    this.#away = false
  }

  /** The log has come to a proposal. */
  proposed(seq: number, { public: group, leafIndex }: Group): void {
    if (group.pendingRemovals.has(leafIndex)) this.#condemnedAt ??= seq
  }

  epochBegan(): void {
    this.#condemnedAt = undefined
  }

  /**
   * Whether a commit that has removed us has done so because we were away. Who is removed at
   * somebody's word does not come back by itself.
   */
  removedForAbsence(effect: CommitEffect, group: Group): boolean {
    const wasAway =
      this.#away || (this.#condemnedAt !== undefined && this.#condemnedAt <= this.#attachedAt)
    return wasAway && removedByKeyserver(effect, group)
  }
}

/** Whoever is absent for the grace period is removed by a proposal of the keyserver's. */
function removedByKeyserver({ proposals }: CommitEffect, { leafIndex }: Group): boolean {
  return proposals.removes.some(
    ({ leafIndex: removed, sender, authenticatedData = emptyBytes }) =>
      removed === leafIndex &&
      sender.senderType === SenderType.external &&
      readRemovalEnvelope(authenticatedData)?.reason !== 'removed',
  )
}
