import { type DeliveryTransport, systemClock } from '@conclave/client'
import type { Clock } from '@conclave/core'
import { machineTime } from '../servers/child.ts'

/** A commit of this client that won, by the machine's time. */
export interface WonCommit {
  readonly seq: number
  /** The first news of the epoch that it has ended. */
  readonly newsAt: number
  /** When the turn had come that the scheduler waited for. */
  readonly turnAt: number
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
  #turnAt = Number.NaN
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
        const before = { newsAt: this.#newsAt, turnAt: this.#turnAt, sentAt: machineTime() }
        const reply = await transport.request(name, request)
        if (name === 'wait' && reply.ok) this.waitingAt ??= machineTime()
        if (name === 'commit' && !reply.ok) this.lostAt.push(machineTime())
        if (name === 'commit' && reply.ok && 'seq' in reply) {
          const { newsAt = before.turnAt } = before
          this.won.push({ ...before, newsAt, seq: reply.seq })
        }
        return reply
      },
      close: () => transport.close(),
    }
  }
}
