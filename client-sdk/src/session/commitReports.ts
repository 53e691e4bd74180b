import type { Clock } from '@conclave/core'
import type { ReplyTo } from '@conclave/core/delivery'
import type { DeliveryLink } from './deliveryLink.ts'
import type { Membership } from './membership.ts'
import { isTransient, refusal } from './sessionError.ts'

/** How long a commit that failed here may stay without an outcome, in milliseconds. */
const outcomeMs = 10_000
/** The pause before it is asked for again, in milliseconds. */
const repeatMs = 1_000

export interface ReportsHost {
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
  /** Takes in what the log has beyond what is known. */
  catchUp(): Promise<void>
  /** The commit stands, or nobody says what becomes of it: we cannot follow. */
  giveUp(): void
}

/**
 * Says to the keyserver how the commit at the log's end fared here: unasked where it failed, else
 * when somebody for whom it failed makes the keyserver ask. Only a `void` in the log undoes it.
 */
export class CommitReports {
  readonly #membership: Membership
  readonly #link: Pick<DeliveryLink, 'request'>
  readonly #clock: Clock
  readonly #host: ReportsHost
  /** The entry that was asked about, which may not have come yet. */
  #wanted: number | undefined
  /** The entry that we have reported on this connection. */
  #reported: number | undefined
  #cancelCeiling: (() => void) | undefined
  #cancelRepeat: (() => void) | undefined

  constructor(
    membership: Membership,
    link: Pick<DeliveryLink, 'request'>,
    clock: Clock,
    host: ReportsHost,
  ) {
    this.#membership = membership
    this.#link = link
    this.#clock = clock
    this.#host = host
  }

  /** Nothing that was said on an earlier connection need have arrived. */
  connected(): void {
    this.#reported = undefined
    const { failed } = this.#membership
    if (failed !== undefined) this.#host.run(() => this.#report(failed.seq))
  }

  /** The commit at the log's end has just failed here. */
  commitFailed(seq: number): void {
    this.#cancelCeiling ??= this.#clock.setTimer(outcomeMs, () => {
      this.#cancelCeiling = undefined
      this.#host.run(async () => this.#giveUpOn(seq))
    })
    this.#host.run(() => this.#report(seq))
  }

  /** The commit at the log's end has just been applied. */
  commitApplied(seq: number): void {
    if (this.#wanted === seq) this.#host.run(() => this.#report(seq))
  }

  /** The commit that failed has been undone, or it concerns us no more. */
  settled(): void {
    this.#cancelCeiling?.()
    this.#cancelCeiling = undefined
    this.#cancelRepeat?.()
    this.#cancelRepeat = undefined
  }

  async wanted(seq: number): Promise<void> {
    this.#wanted = seq
    await this.#report(seq)
  }

  async #report(seq: number): Promise<void> {
    if (this.#reported === seq) return
    const report = await this.#membership.statusOf(seq)
    if (report === undefined) return
    this.#reported = seq
    // Beside the lane, which has to take in the void that the answer may come with.
    this.#link.request('report', report).then(
      (reply) => this.#host.run(() => this.#answered(seq, reply)),
      (error: unknown) => this.#host.run(() => Promise.reject(error)),
    )
  }

  async #answered(seq: number, reply: ReplyTo<'report'>): Promise<void> {
    if (this.#membership.failed?.seq !== seq) return
    if (reply.ok && reply.outcome === 'collecting') return this.#repeatLater(seq)
    if (!reply.ok && isTransient(refusal(reply))) throw refusal(reply)
    // The log has what became of it, also where others have decided before our word came.
    if (!reply.ok || reply.outcome === 'voided') await this.#host.catchUp()
    this.#giveUpOn(seq)
  }

  /** That somebody else could apply the commit, only an answer tells. */
  #repeatLater(seq: number): void {
    this.#cancelRepeat?.()
    this.#cancelRepeat = this.#clock.setTimer(repeatMs, () => {
      this.#cancelRepeat = undefined
      this.#reported = undefined
      this.#host.run(() => this.#report(seq))
    })
  }

  #giveUpOn(seq: number): void {
    if (this.#membership.failed?.seq === seq) this.#host.giveUp()
  }
}
