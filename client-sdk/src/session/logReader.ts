import type { Clock } from '@conclave/core'
import { type LogEntry, packEntries, type WaitingJoiner } from '@conclave/core/delivery'
import type { Group } from '@conclave/core/mls/group'
import type { DeliveryLink } from './deliveryLink.ts'
import { uploadedGroupInfo } from './enterMeeting.ts'
import { KeptEntries } from './keptEntries.ts'
import { LogFollower } from './logFollower.ts'
import { recovering, rolledBack, violated, windowMissed } from './participationErrors.ts'
import { isTransient, refusal, type SessionError } from './sessionError.ts'

/** How often the log is asked for an entry that was announced and that it has not. */
const gapAttempts = 3
/** The pause before it is asked again, in milliseconds. */
const gapPauseMs = 1_000
/** How often, a second apart, a log that ends before what we have seen is asked for the rest. */
const recoveryRounds = 10

export interface LogReaderHost {
  /** The group of the current epoch. */
  readonly group: Group
  /** Whether the keyserver takes back what it has lost, and we stand by all of it. */
  readonly canGiveBack: boolean
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
  /** The log's next entry. */
  apply(entry: LogEntry): Promise<void>
  /** Who waits and who is there. */
  told(waiting: readonly WaitingJoiner[], present: readonly number[]): void
  /** The keyserver had lost the log's end, and may have lost who was there. */
  recovered(): Promise<void>
  /** The log goes on from where we cannot follow. */
  lost(error: SessionError): void
  /** The group has ended. */
  over(): void
}

/**
 * Reads a group's log without gaps, as notices and answers bring it, and gives the keyserver back
 * what it has lost of it.
 */
export class LogReader {
  readonly #link: Pick<DeliveryLink, 'request'>
  readonly #clock: Clock
  readonly #host: LogReaderHost
  readonly #follower: LogFollower
  readonly #kept = new KeptEntries()
  #gapsAskedFor = 0
  #unrecovered = 0
  #cancelAsking: (() => void) | undefined
  #closed = false

  /**
   * @param last the newest entry that is known already
   * @param entry that entry, where we know it: the log must have the same
   */
  constructor(
    link: Pick<DeliveryLink, 'request'>,
    clock: Clock,
    last: number,
    entry: LogEntry | undefined,
    host: LogReaderHost,
  ) {
    this.#link = link
    this.#clock = clock
    this.#host = host
    this.#follower = new LogFollower(last)
    if (entry !== undefined) this.#kept.add(entry)
  }

  /** Whether entries have come beyond one that is still missing. */
  get hasGap(): boolean {
    return this.#follower.hasGap
  }

  /**
   * Instances of the keyserver tell their news in no common order. What came too early is asked for
   * at once, and by one request however much has come; where the log has it not, after a pause.
   * @throws SessionError
   */
  async entryCame(entry: LogEntry): Promise<void> {
    await this.take([entry])
    if (this.hasGap && this.#cancelAsking === undefined) await this.catchUp()
  }

  close(): void {
    this.#closed = true
    this.#cancelAsking?.()
  }

  /**
   * Pages through the log until nothing is missing, on either side. `comparing` begins with the
   * newest entry that we know, to see that it is still the same.
   */
  async catchUp({ comparing = false } = {}): Promise<void> {
    let overlap = comparing && this.#kept.first !== undefined ? 1 : 0
    let recovering = false
    let refused: SessionError | undefined
    while (!this.#closed) {
      const { last } = this.#follower
      const { groupId } = this.#host.group
      const reply = await this.#link.request('resume', { groupId, after: last - overlap })
      const outOfRange = !reply.ok && reply.code === 'seq-out-of-range'
      // The log may have been trimmed right up to where we are.
      const trimmed = outOfRange && overlap > 0
      overlap = 0
      if (trimmed) continue
      if (reply.ok ? reply.head < last : outOfRange) {
        if (outOfRange && (await this.#isTrimmed(last))) return this.#host.lost(windowMissed())
        if (recovering) throw this.#notRecovered(refused)
        recovering = true
        refused = await this.#giveBack()
        continue
      }
      if (!reply.ok) {
        if (reply.code === 'group-unknown') return this.#host.over()
        throw refusal(reply)
      }
      this.#host.told(reply.waiting, reply.present)
      await this.take(reply.entries)
      if (this.#follower.last >= reply.head) return this.#caughtUp(recovering)
      if (this.#follower.last === last) throw violated('the log lacks its next entry')
    }
  }

  /** Whether the log goes on beyond `last`, but begins after it. */
  async #isTrimmed(last: number): Promise<boolean> {
    const reply = await this.#link.request('groupInfo', { groupId: this.#host.group.groupId })
    return reply.ok && reply.seq > last
  }

  /** `recovered`: the keyserver had lost the log's end, and may have lost who was there. */
  async #caughtUp(recovered: boolean): Promise<void> {
    this.#cancelAsking?.()
    this.#cancelAsking = undefined
    this.#unrecovered = 0
    if (this.#closed) return
    if (this.#follower.hasGap && this.#gapsAskedFor < gapAttempts) {
      this.#gapsAskedFor += 1
      this.#cancelAsking = this.#clock.setTimer(gapPauseMs, () => {
        this.#cancelAsking = undefined
        this.#host.run(() => this.catchUp())
      })
    } else {
      this.#gapsAskedFor = 0
      this.#follower.caughtUp()
    }
    if (recovered) await this.#host.recovered()
  }

  /**
   * The keyserver's log ends before what we have seen: gives it what it has lost, unless another
   * member has been first, which a refusal may mean and the log will show. Whoever has not enough
   * of it can only hope for others.
   * @throws SessionError `log-rolled-back` where the log goes on otherwise than we know
   */
  async #giveBack(): Promise<SessionError | undefined> {
    const { groupId } = this.#host.group
    const { first } = this.#kept
    if (!this.#host.canGiveBack) throw rolledBack()
    if (first === undefined) return undefined
    const reply = await this.#link.request('resume', { groupId, after: first - 1 })
    if (this.#closed) return undefined
    if (!reply.ok) return refusal(reply)
    await this.take(reply.entries)
    const lost = this.#kept.after(reply.head)
    if (lost.length === 0 || this.#closed) return undefined
    const groupInfo = await this.#host.group.groupInfo(uploadedGroupInfo)
    const entries = packEntries(lost)
    const returned = { groupId, after: reply.head, entries, groupInfo }
    const answer = await this.#link.request('giveBack', returned)
    return answer.ok ? undefined : refusal(answer)
  }

  /** The error of a log that still lacks its end: for the time being, or for good. */
  #notRecovered(refused: SessionError | undefined): SessionError {
    if (refused !== undefined && isTransient(refused)) return refused
    this.#unrecovered += 1
    return this.#unrecovered < recoveryRounds ? recovering() : rolledBack()
  }

  async take(entries: readonly LogEntry[]): Promise<void> {
    for (const entry of entries) {
      if (this.#closed) return
      if (this.#kept.contradicts(entry)) throw rolledBack()
      if (!this.#follower.accepts(entry)) continue
      this.#kept.add(entry)
      await this.#host.apply(entry)
    }
  }
}
