import { type DeliveryTransport, systemClock } from '@conclave/client'
import type { Clock } from '@conclave/core'
import { machineTime } from '../servers/child.ts'

export interface CommitTurn {
  /** The first news of the epoch that the commit has ended. */
  readonly newsAt: number
  /** When the turn had come that the scheduler waited for. */
  readonly at: number
}

/** A commit of this client that won, by the machine's time. */
export interface WonCommit {
  readonly seq: number
  /** The committer's turn; whoever founds or enters at once has waited for none. */
  readonly turn: CommitTurn | undefined
  /** When the commit was made and on its way. */
  readonly sentAt: number
}

/**
 * What a session does at its edges, with the machine's time: the clock that it waits by, and what
 * goes to the keyserver and comes from there.
 */
export class TimedSession {
  readonly clock: Clock
  readonly won: WonCommit[] = []
  /** When commits were refused that had been made in vain. */
  readonly lostAt: number[] = []
  /** When the keyserver had put us on the waiting list, and when the Welcome came. */
  waitingAt: number | undefined
  welcomedAt: number | undefined
  #turnAt: number | undefined
  #newsAt: number | undefined

  constructor() {
    this.clock = {
      now: systemClock.now,
      setTimer: (delayMs, callback) => {
        const due = machineTime() + delayMs
        return systemClock.setTimer(delayMs, () => {
          this.#turnAt = due
          callback()
        })
      },
    }
  }

  /** What there is to commit from now on is news again. */
  epochBegan(): void {
    this.#newsAt = undefined
  }

  watched(transport: DeliveryTransport): DeliveryTransport {
    return {
      start: (events) =>
        transport.start({
          connected: () => events.connected(),
          disconnected: () => events.disconnected(),
          rejected: (code, message) => events.rejected(code, message),
          notice: (name, notice) => {
            if (name === 'welcome') this.welcomedAt ??= machineTime()
            if (name === 'entry' || name === 'waiting') this.#newsAt ??= machineTime()
            events.notice(name, notice)
          },
        }),
      request: async (name, request) => {
        const at = this.#turnAt
        const turn = at === undefined ? undefined : { newsAt: this.#newsAt ?? at, at }
        const sentAt = machineTime()
        const reply = await transport.request(name, request)
        if (name === 'wait' && reply.ok) this.waitingAt ??= machineTime()
        if (name === 'commit' && !reply.ok) this.lostAt.push(machineTime())
        if (name === 'commit' && reply.ok && 'seq' in reply) {
          this.won.push({ seq: reply.seq, turn, sentAt })
        }
        return reply
      },
      close: () => transport.close(),
    }
  }
}
