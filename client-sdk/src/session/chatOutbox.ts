import { type Clock, ConclaveError } from '@conclave/core'
import { SessionError } from './sessionError.ts'

/** How long a message may wait to be passed on, in milliseconds. */
const patienceMs = 30_000
const againMs = 250
const maxDrafts = 64

/** What became of an attempt to send. */
export type Attempt =
  | { readonly outcome: 'passed'; readonly id: string }
  /** It may be tried again; `perhaps`: some may have got it nevertheless. */
  | { readonly outcome: 'failed'; readonly perhaps: boolean; readonly error: ConclaveError }

interface Draft<T> {
  readonly content: T
  readonly until: number
  readonly resolve: (id: string) => void
  readonly reject: (error: ConclaveError) => void
  perhaps: boolean
}

/**
 * Sends one message after the other, each until the keyserver has passed it on. A message has the
 * same number at every attempt, by which whoever gets it twice knows.
 */
export class ChatOutbox<T> {
  readonly #clock: Clock
  readonly #attempt: (content: T, number: number) => Promise<Attempt>
  readonly #drafts: Draft<T>[] = []
  /** What the messages of one run are counted with. */
  #count = { next: 0 }
  #sending = false
  #closed: ConclaveError | undefined
  #wake: (() => void) | undefined

  /** @param attempt throws a ConclaveError where trying again would not help */
  constructor(clock: Clock, attempt: (content: T, number: number) => Promise<Attempt>) {
    this.#clock = clock
    this.#attempt = attempt
  }

  /**
   * The message's id, as soon as it has been passed on.
   * @throws SessionError `message-unsent`, and what `attempt` or `close` gives
   */
  send(content: T): Promise<string> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    if (this.#drafts.length >= maxDrafts) return Promise.reject(unsent('too many wait already'))
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const until = this.#clock.now() + patienceMs
    this.#drafts.push({ content, until, resolve, reject, perhaps: false })
    void this.#sendAll()
    return promise
  }

  /** A new run begins, in which messages count from 0. */
  restart(): void {
    this.#count = { next: 0 }
    this.wake()
  }

  /** Tries at once what waits to be tried again. */
  wake(): void {
    this.#wake?.()
  }

  close(error: ConclaveError): void {
    this.#closed = error
    for (const { reject } of this.#drafts.splice(0)) reject(error)
    this.wake()
  }

  async #sendAll(): Promise<void> {
    if (this.#sending) return
    this.#sending = true
    for (let draft = this.#drafts[0]; draft !== undefined; draft = this.#drafts[0]) {
      const count = this.#count
      let settled = await this.#try(draft, count.next)
      // We may have to enter anew while it is tried, or before it is tried again.
      if (!settled && count === this.#count && this.#closed === undefined) await this.#pause()
      if (this.#closed !== undefined) break
      if (!settled && draft.perhaps && count !== this.#count) {
        draft.reject(unsent('we had to enter anew; some may have got it'))
        settled = true
      }
      if (settled) {
        this.#drafts.shift()
        // Where it was refused each time nobody has got a message of this number.
        if (draft.perhaps) count.next += 1
      }
    }
    this.#sending = false
  }

  async #try(draft: Draft<T>, number: number): Promise<boolean> {
    try {
      const attempt = await this.#attempt(draft.content, number)
      if (attempt.outcome === 'passed') {
        draft.perhaps = true
        draft.resolve(attempt.id)
        return true
      }
      draft.perhaps ||= attempt.perhaps
      if (this.#clock.now() < draft.until) return false
      draft.reject(unsent('the keyserver did not pass it on in time', attempt.error))
    } catch (error) {
      draft.reject(
        error instanceof ConclaveError ? error : unsent('it could not be encrypted', error),
      )
    }
    return true
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const cancel = this.#clock.setTimer(againMs, resolve)
    await promise
    cancel()
    this.#wake = undefined
  }
}

function unsent(why: string, cause?: unknown): SessionError {
  return new SessionError('message-unsent', `a message was not sent: ${why}`, {
    cause,
    remedy: 'Send it again.',
  })
}
