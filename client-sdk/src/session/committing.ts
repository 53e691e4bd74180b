import { type Clock, ConclaveError } from '@conclave/core'
import type { RefusalCode, ReplyTo } from '@conclave/core/delivery'
import type { PendingCommit } from '@conclave/core/mls/group'
import { CommitScheduler } from './commitScheduler.ts'
import type { DeliveryLink } from './deliveryLink.ts'
import type { LogReader } from './logReader.ts'
import type { Membership } from './membership.ts'
import { violated } from './participationErrors.ts'
import { refusal } from './sessionError.ts'

/**
 * Answers to a commit that do not say whether the log has it; where the connection had entered
 * nothing, an earlier one may have brought it there.
 */
const undecided: readonly RefusalCode[] = ['not-entered', 'unavailable', 'internal']

export interface CommittingHost {
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
  /**
   * Resolves once the present state outlasts a crash.
   * @throws SessionError `store-unavailable`
   */
  keep(): Promise<void>
  problem(error: ConclaveError): void
  /** The group has ended. */
  over(): void
  /** A ReInit is not to be committed: these have nothing for the next group. */
  unready(leaves: readonly number[]): void
}

/** Makes commits when it is our turn, and has the log decide on them. */
export class Committing {
  readonly #membership: Membership
  readonly #log: Pick<LogReader, 'take' | 'hasGap' | 'catchUp'>
  readonly #link: Pick<DeliveryLink, 'request'>
  readonly #host: CommittingHost
  readonly #scheduler: CommitScheduler
  /** The commit whose answer is out: of two answers to one commit the wrong one might come first. */
  #sent: PendingCommit | undefined
  #present: ReadonlySet<number> = new Set()
  #closed = false

  constructor(
    membership: Membership,
    log: Pick<LogReader, 'take' | 'hasGap' | 'catchUp'>,
    link: Pick<DeliveryLink, 'request'>,
    clock: Clock,
    host: CommittingHost,
  ) {
    this.#membership = membership
    this.#log = log
    this.#link = link
    this.#host = host
    this.#scheduler = new CommitScheduler(clock, () => host.run(() => this.commit()))
  }

  /** The leaves whose members are connected, as the keyserver says. */
  get present(): ReadonlySet<number> {
    return this.#present
  }

  presentChanged(leaves: readonly number[]): void {
    this.#present = new Set(leaves)
  }

  /**
   * What there is to do now is new.
   * @param removed leaves whose members are gone
   */
  epochBegan(removed: readonly number[]): void {
    // Whoever has their leaves next has to come first.
    if (removed.length > 0) {
      this.#present = new Set([...this.#present].filter((leaf) => !removed.includes(leaf)))
    }
    this.#scheduler.epochBegan()
  }

  /** Whether and when it is our turn to commit; to be asked whenever something has changed. */
  reconsider(): void {
    const { isCommitting, failed } = this.#membership
    if (isCommitting || failed !== undefined || this.#closed) {
      this.#scheduler.stop()
      return
    }
    const { group, hasWork, waitingList } = this.#membership
    this.#scheduler.reconsider({
      group: group.public,
      ownLeaf: group.leafIndex,
      present: this.#present,
      work: hasWork,
      onlyOurs: waitingList.hasInvitees,
    })
  }

  /** `renewing` also where nothing is to be committed but new keys of our own. */
  async commit({ renewing = false } = {}): Promise<void> {
    const membership = this.#membership
    if (membership.isCommitting || membership.isFrozen || membership.failed !== undefined) return
    const { public: group, leafIndex } = membership.group
    if (group.pendingRemovals.has(leafIndex)) return
    try {
      const worthwhile = renewing || membership.hasWork
      const pending = worthwhile ? await membership.makeCommit({ renewing }) : undefined
      if (pending !== undefined) {
        // If the log has it and we crash, only what is kept of it makes it apply here.
        await this.#host.keep()
        if (!this.#closed) this.#send(pending)
      }
    } catch (error) {
      if (this.#closed || !(error instanceof ConclaveError)) throw error
      membership.discardPending()
      this.#scheduler.refused()
      this.#host.problem(error)
    }
    this.reconsider()
  }

  /** Sends what an earlier connection, or an earlier process, may not have brought to the log. */
  sendAgain(): void {
    const { pending } = this.#membership
    if (pending !== undefined && pending !== this.#sent) this.#send(pending)
  }

  close(): void {
    this.#closed = true
    this.#scheduler.stop()
  }

  /**
   * Offers a commit to the log, beside the lane: while the answer is out, the log goes on and may
   * decide against it. Resending one that has won is harmless.
   */
  #send(pending: PendingCommit): void {
    const { lastSeq: after, group } = this.#membership
    const { message, groupInfo, welcome = null } = pending
    const upload = { groupId: group.groupId, after, message, welcome, groupInfo }
    this.#sent = pending
    const answer = this.#link.request('commit', upload).finally(() => {
      if (this.#sent === pending) this.#sent = undefined
    })
    answer.then(
      (reply) => this.#host.run(() => this.#answered(pending, reply)),
      // The log decides: after reconnecting it is there, or it is sent again.
      (error: unknown) => this.#host.run(() => Promise.reject(error)),
    )
  }

  async #answered(pending: PendingCommit, reply: ReplyTo<'commit'>): Promise<void> {
    if (this.#membership.pending !== pending) return
    if (reply.ok) await this.#accepted(pending, reply.seq)
    else await this.#declined(reply)
    this.reconsider()
  }

  async #accepted(pending: PendingCommit, seq: number): Promise<void> {
    await this.#log.take([{ seq, message: pending.message }])
    if (this.#log.hasGap) await this.#log.catchUp()
    if (this.#closed || this.#membership.pending !== pending) return
    throw violated('the log lacks a commit that it has accepted')
  }

  async #declined(reply: Extract<ReplyTo<'commit'>, { ok: false }>): Promise<void> {
    if (reply.code === 'group-unknown') return this.#host.over()
    // It may be in the log, and only what we keep of it makes it apply here: it is sent again.
    if (undecided.includes(reply.code)) throw refusal(reply)
    if (reply.code === 'group-continued') throw refusal(reply)
    const membership = this.#membership
    const { epoch } = membership.group
    membership.discardPending()
    await this.#log.take(reply.missed ?? [])
    const late = reply.code === 'epoch-mismatch'
    const behind = this.#log.hasGap || (late && membership.group.epoch === epoch)
    // The keyserver may have lost what our commit refers to: then its log ends before what we know.
    if (behind || reply.code === 'message-invalid') await this.#log.catchUp()
    // Of all that a commit carries, only what we have claimed was never seen by the keyserver.
    if (reply.detail === 'key-package-used') membership.waitingList.refuseInvitees()
    const decided = membership.group.epoch !== epoch || membership.failed !== undefined
    if (this.#closed || (late && decided)) return
    this.#scheduler.refused()
    if (reply.code === 'reinit-unready') this.#host.unready(reply.leaves ?? [])
    this.#host.problem(refusal(reply))
  }
}
