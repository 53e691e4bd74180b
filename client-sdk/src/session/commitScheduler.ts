import type { Clock } from '@conclave/core'
import type { PublicGroup } from '@conclave/core/mls/public'
import { rankOf, turnAt } from './commitTurn.ts'

/** The pause after a commit that the keyserver refused for other reasons than its epoch. */
const firstBackoffMs = 500
const maxBackoffMs = 10_000
/** A timer that is so late says that the process had no turn, and that news may lie unread. */
const lateMs = 50
/** For the news to be read. */
const readingMs = 20

export interface CommitSituation {
  readonly group: PublicGroup
  readonly ownLeaf: number
  readonly present: ReadonlySet<number>
  /** Whether there is anything to commit. */
  readonly work: boolean
  /** Whether no other member knows of it, so that nobody else will do it. */
  readonly onlyOurs?: boolean
}

/**
 * Decides when it is our turn to commit: at once for the first in line, later for those who stand
 * in. Asked again whenever something changes; the batching window is not restarted by that.
 */
export class CommitScheduler {
  readonly #clock: Clock
  readonly #commit: () => void
  #workSince: number | undefined
  #epochSince: number | undefined
  #failures = 0
  #notBefore = 0
  #cancel: (() => void) | undefined
  /** Our place in line, and what it was worked out from. */
  #place: { readonly of: CommitSituation; readonly rank: number | undefined } | undefined

  constructor(clock: Clock, commit: () => void) {
    this.#clock = clock
    this.#commit = commit
  }

  reconsider(situation: CommitSituation): void {
    const { group, work, onlyOurs = false } = situation
    this.stop()
    if (!work) {
      this.#workSince = undefined
      return
    }
    const now = this.#clock.now()
    // A clock that was set back must not put off what is due.
    const workSince = Math.min(this.#workSince ?? now, now)
    const epochSince = this.#epochSince && Math.min(this.#epochSince, now)
    this.#workSince = workSince
    this.#epochSince = epochSince
    this.#notBefore = Math.min(this.#notBefore, now + maxBackoffMs)
    const rank = this.#rankIn(situation)
    if (rank === undefined) return
    const turn = turnAt(onlyOurs ? 0 : rank, group, { workSince, epochSince })
    this.#waitUntil(Math.max(turn, this.#notBefore, now), { standingIn: rank > 0 })
  }

  #waitUntil(at: number, { standingIn }: { readonly standingIn: boolean }): void {
    this.#cancel = this.#clock.setTimer(at - this.#clock.now(), () => {
      this.#cancel = undefined
      const isLate = this.#clock.now() - at > lateMs
      // What we would stand in for may be among it.
      if (standingIn && isLate) this.#cancel = this.#clock.setTimer(readingMs, this.#commit)
      else this.#commit()
    })
  }

  /** We are there, whatever the keyserver has told us of it so far. */
  #rankIn(situation: CommitSituation): number | undefined {
    const { group, ownLeaf, present } = situation
    const known = this.#place
    if (known?.of.group === group && known.of.present === present) return known.rank
    const rank = rankOf(ownLeaf, group, present)
    this.#place = { of: situation, rank }
    return rank
  }

  /** A new epoch: what there is to do now is new, and earlier refusals concern it no more. */
  epochBegan(): void {
    this.#workSince = undefined
    this.#epochSince = this.#clock.now()
    this.#failures = 0
    this.#notBefore = 0
  }

  refused(): void {
    const pause = Math.min(maxBackoffMs, firstBackoffMs * 2 ** this.#failures)
    this.#failures += 1
    this.#notBefore = this.#clock.now() + pause
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
