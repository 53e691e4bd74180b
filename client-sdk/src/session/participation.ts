import { type Clock, ConclaveError } from '@conclave/core'
import type { Bytes } from '@conclave/core/codec'
import {
  type LogEntry,
  presenceLabel,
  presenceTbs,
  type ReplyTo,
  type WaitingJoiner,
} from '@conclave/core/delivery'
import type { CommitEffect, Group, PendingCommit } from '@conclave/core/mls/group'
import { CommitScheduler } from './commitScheduler.ts'
import type { DeliveryLink } from './deliveryLink.ts'
import { LogFollower } from './logFollower.ts'
import { Membership } from './membership.ts'
import { refusal, SessionError } from './sessionError.ts'

/** Epochs that may end while `sayGoodbye` tells the group. */
const goodbyeAttempts = 5

/** What our part in a group asks of the session. */
export interface ParticipationHost {
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
  epochBegan(group: Group, effect: CommitEffect | undefined): void
  problem(error: ConclaveError): void
  end(reason: 'removed' | 'closed' | 'failed', error?: ConclaveError): void
}

/**
 * Our part in a group, from the epoch that we entered in: follows its log, and commits when it is
 * our turn. The session calls one method at a time; `close` may come at any time.
 */
export class Participation {
  readonly #membership: Membership
  readonly #follower: LogFollower
  readonly #scheduler: CommitScheduler
  readonly #link: Pick<DeliveryLink, 'request'>
  readonly #host: ParticipationHost
  /** The commit whose answer is out: of two answers to one commit the wrong one might come first. */
  #sent: PendingCommit | undefined
  #present: ReadonlySet<number> = new Set()
  #closed = false

  /** `seq` is the newest entry that the group's state includes. */
  constructor(
    group: Group,
    seq: number,
    link: Pick<DeliveryLink, 'request'>,
    clock: Clock,
    host: ParticipationHost,
  ) {
    this.#membership = new Membership(group, seq)
    this.#follower = new LogFollower(seq)
    this.#link = link
    this.#host = host
    this.#scheduler = new CommitScheduler(clock, () => host.run(() => this.#commit()))
  }

  /** The group of the current epoch. */
  get group(): Group {
    return this.#membership.group
  }

  /**
   * Takes up the log where it was left, and says which leaf this connection speaks for.
   * @throws SessionError
   */
  async follow(nonce: Bytes): Promise<void> {
    const { groupId, leafIndex } = this.group
    await this.#catchUp()
    if (this.#closed) return
    const content = presenceTbs(groupId, leafIndex, nonce)
    const signature = await this.group.sign(presenceLabel, content)
    const attached = await this.#link.request('attach', { groupId, leafIndex, signature })
    if (!attached.ok) throw refusal(attached)
    const { pending } = this.#membership
    if (pending !== undefined && pending !== this.#sent) this.#send(pending)
    this.reconsider()
  }

  /** @throws SessionError */
  async entryCame(entry: LogEntry): Promise<void> {
    await this.#take([entry])
    if (this.#follower.hasGap) await this.#catchUp()
  }

  waitingChanged(joiners: readonly WaitingJoiner[]): void {
    this.#membership.waitingList.update(joiners)
  }

  presentChanged(leaves: readonly number[]): void {
    this.#present = new Set(leaves)
  }

  /** Whether and when it is our turn to commit; to be asked whenever something has changed. */
  reconsider(): void {
    if (this.#membership.pending !== undefined || this.#closed) {
      this.#scheduler.stop()
      return
    }
    const { group, hasWork } = this.#membership
    this.#scheduler.reconsider({
      group: group.public,
      ownLeaf: group.leafIndex,
      present: this.#present,
      work: hasWork,
    })
  }

  /**
   * Tells the group that we leave. Where nobody else is in it, the keyserver closes it at once
   * instead of after the grace period, and whoever comes next need not wait.
   * @throws SessionError
   */
  async sayGoodbye(): Promise<void> {
    for (let attempt = 0; attempt < goodbyeAttempts && !this.#closed; attempt++) {
      const { group } = this
      const message = await group.proposeSelfRemove()
      const reply = await this.#link.request('propose', { groupId: group.groupId, message })
      if (reply.ok) return
      // It may have been for an epoch that is over.
      await this.#catchUp()
      if (this.group.epoch === group.epoch) return
    }
  }

  /** Wipes every secret. */
  close(): void {
    this.#closed = true
    this.#scheduler.stop()
    this.#membership.close()
  }

  /** Pages through the log until nothing is missing. */
  async #catchUp(): Promise<void> {
    while (!this.#closed) {
      const { last } = this.#follower
      const { groupId } = this.group
      const reply = await this.#link.request('resume', { groupId, after: last })
      if (!reply.ok) {
        if (reply.code === 'group-unknown') return this.#host.end('closed', closedByKeyserver())
        throw reply.code === 'seq-out-of-range' ? rolledBack() : refusal(reply)
      }
      if (reply.head < last) throw rolledBack()
      this.waitingChanged(reply.waiting)
      this.presentChanged(reply.present)
      await this.#take(reply.entries)
      if (this.#follower.last >= reply.head) return this.#follower.caughtUp()
      if (this.#follower.last === last) throw violated('the log lacks its next entry')
    }
  }

  async #take(entries: readonly LogEntry[]): Promise<void> {
    for (const entry of entries) {
      if (this.#closed) return
      if (this.#follower.accepts(entry)) await this.#apply(entry)
    }
  }

  async #apply(entry: LogEntry): Promise<void> {
    const outcome = await this.#membership.apply(entry)
    if (this.#closed) return
    switch (outcome.kind) {
      case 'proposal':
        return
      case 'ignored':
        return this.#host.problem(outcome.error)
      case 'epoch':
        this.#scheduler.epochBegan()
        return this.#host.epochBegan(this.group, outcome.effect)
      case 'removed':
        return this.#host.end('removed')
      case 'inapplicable':
        return this.#host.end('failed', inapplicable(outcome.error))
    }
  }

  async #commit(): Promise<void> {
    const membership = this.#membership
    if (membership.pending !== undefined) return
    try {
      const pending = membership.hasWork ? await membership.makeCommit() : undefined
      if (pending !== undefined) this.#send(pending)
    } catch (error) {
      if (this.#closed || !(error instanceof ConclaveError)) throw error
      this.#scheduler.refused()
      this.#host.problem(error)
    }
    this.reconsider()
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
    await this.#take([{ seq, message: pending.message }])
    if (this.#follower.hasGap) await this.#catchUp()
    if (this.#closed || this.#membership.pending !== pending) return
    throw violated('the log lacks a commit that it has accepted')
  }

  async #declined(reply: Extract<ReplyTo<'commit'>, { ok: false }>): Promise<void> {
    if (reply.code === 'group-unknown') return this.#host.end('closed', closedByKeyserver())
    // The connection had entered nothing: it is sent again on one that has.
    if (reply.code === 'not-entered') throw refusal(reply)
    const { epoch } = this.group
    this.#membership.discardPending()
    await this.#take(reply.missed ?? [])
    const late = reply.code === 'epoch-mismatch'
    if (this.#follower.hasGap || (late && this.group.epoch === epoch)) await this.#catchUp()
    if (this.#closed || (late && this.group.epoch !== epoch)) return
    this.#scheduler.refused()
    this.#host.problem(refusal(reply))
  }
}

export function closedByKeyserver(): SessionError {
  return new SessionError('meeting-closed', 'the keyserver ended the meeting')
}

function violated(what: string): SessionError {
  return new SessionError('keyserver-protocol-violated', what)
}

function rolledBack(): SessionError {
  return new SessionError('log-rolled-back', 'the log does not go on from where we are', {
    remedy: 'Join the meeting again.',
  })
}

function inapplicable(cause: ConclaveError): SessionError {
  return new SessionError('log-inapplicable', 'an entry of the log does not apply', {
    cause,
    detail: cause.code,
    remedy: 'Join the meeting again.',
  })
}
