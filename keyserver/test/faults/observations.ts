import { type Bytes, plainBytes } from '@conclave/core/codec'
import type { ReplyTo, RequestName, RequestOf } from '@conclave/core/delivery'

/** An entry that a client was told is on the disk. */
export interface Acknowledged {
  readonly who: string
  readonly seq: number
  readonly message: Bytes
}

/** The state of the group that somebody was in. */
export interface View {
  readonly who: string
  readonly epoch: number
  readonly safetyCode: string
}

interface Question {
  readonly who: string
  readonly what: string
}

/** What people of one meeting asked, were told and saw, as it happened. */
export class Observations {
  readonly acknowledged: Acknowledged[] = []
  readonly views: View[] = []
  /** Whose leaving is on the log, as they were told. */
  readonly goodbyes = new Set<string>()
  readonly #open = new Set<Question>()

  /** What has not been answered yet, if only with an error. */
  get open(): readonly Question[] {
    return [...this.#open]
  }

  /** Watches that something ends. */
  async awaited<T>(who: string, what: string, work: () => Promise<T>): Promise<T> {
    const question = { who, what }
    this.#open.add(question)
    try {
      return await work()
    } finally {
      this.#open.delete(question)
    }
  }

  /** A request to the keyserver, which remembers what the answer promises. */
  async asked<N extends RequestName>(
    who: string,
    name: N,
    request: RequestOf<N>,
    send: () => Promise<ReplyTo<N>>,
  ): Promise<ReplyTo<N>> {
    const reply = await this.awaited(who, name, send)
    if (name === 'propose' && reply.ok) this.goodbyes.add(who)
    const asked = { ...request }
    if ('message' in asked && reply.ok && 'durable' in reply && reply.durable && 'seq' in reply) {
      this.acknowledged.push({ who, seq: reply.seq, message: plainBytes(asked.message) })
    }
    return reply
  }

  saw(view: View): void {
    this.views.push(view)
  }
}
