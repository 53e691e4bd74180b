import type { Clock } from '@conclave/core'

/** How long a message waits for those before it, in milliseconds. */
const windowMs = 2_000
/** How many may wait, of one sender and of all. */
const maxWaiting = 32
const maxWaitingOfAll = 256
/** Runs of a sender's that are over, of which nothing is taken any more. */
const maxEnded = 8

/** Where a message stands among its sender's. */
export interface Place {
  readonly run: string
  readonly number: number
  /** The first number that is awaited of a sender of whom nothing has come yet. */
  readonly from: number
}

export interface OrderEvents<T> {
  deliver(message: T): void
  /** So many of the sender's messages, before the one that is delivered next, have not come in time. */
  missed(sender: string, count: number): void
}

interface Sender<T> {
  run: string
  /** The number that is to be delivered next. */
  next: number
  /** By number, with the time until which each waits for those before it. */
  readonly waiting: Map<number, { readonly message: T; readonly until: number }>
  readonly ended: string[]
  cancel: (() => void) | undefined
}

/**
 * Puts each sender's messages into the order in which they were sent, and each out once. What has
 * not come when those after it have waited long enough is reported, and not taken any more.
 */
export class MessageOrder<T> {
  readonly #clock: Clock
  readonly #events: OrderEvents<T>
  readonly #senders = new Map<string, Sender<T>>()
  #waiting = 0

  constructor(clock: Clock, events: OrderEvents<T>) {
    this.#clock = clock
    this.#events = events
  }

  get senders(): Iterable<string> {
    return this.#senders.keys()
  }

  /** Whether the message is delivered, now or in its turn; one that came before or too late is not. */
  offer(name: string, { run, number, from }: Place, message: T): boolean {
    const sender = this.#sender(name, run, from)
    if (sender === undefined || number < sender.next || sender.waiting.has(number)) return false
    sender.waiting.set(number, { message, until: this.#clock.now() + windowMs })
    this.#waiting += 1
    this.#release(sender)
    if (sender.waiting.size > maxWaiting || this.#waiting > maxWaitingOfAll) {
      this.#passOver(name, sender)
    }
    this.#schedule(name, sender)
    return true
  }

  /** Nothing more can come of this sender. */
  forget(name: string): void {
    const sender = this.#senders.get(name)
    if (sender === undefined) return
    this.#passOverAll(name, sender)
    sender.cancel?.()
    this.#senders.delete(name)
  }

  /** Delivers what waits, of every sender. */
  flush(): void {
    for (const [name, sender] of this.#senders) {
      this.#passOverAll(name, sender)
      sender.cancel?.()
    }
  }

  /** Drops what waits. */
  close(): void {
    for (const { cancel, waiting } of this.#senders.values()) {
      cancel?.()
      waiting.clear()
    }
    this.#senders.clear()
    this.#waiting = 0
  }

  /** The sender in this run; undefined where the run is over. */
  #sender(name: string, run: string, from: number): Sender<T> | undefined {
    const known = this.#senders.get(name)
    if (known === undefined) {
      const sender = { run, next: from, waiting: new Map(), ended: [], cancel: undefined }
      this.#senders.set(name, sender)
      return sender
    }
    if (known.ended.includes(run)) return undefined
    if (known.run !== run) {
      this.#passOverAll(name, known)
      known.ended.push(known.run)
      if (known.ended.length > maxEnded) known.ended.shift()
      known.run = run
      known.next = 0
    }
    return known
  }

  #release(sender: Sender<T>): void {
    for (;;) {
      const held = sender.waiting.get(sender.next)
      if (held === undefined) return
      sender.waiting.delete(sender.next)
      this.#waiting -= 1
      sender.next += 1
      this.#events.deliver(held.message)
    }
  }

  /** Waits no longer for what is before the first that has come. */
  #passOver(name: string, sender: Sender<T>): void {
    const first = Math.min(...sender.waiting.keys())
    const count = first - sender.next
    sender.next = first
    this.#events.missed(name, count)
    this.#release(sender)
  }

  #passOverAll(name: string, sender: Sender<T>): void {
    while (sender.waiting.size > 0) this.#passOver(name, sender)
  }

  /** Looks again when the first of what waits has done so for long enough. */
  #schedule(name: string, sender: Sender<T>): void {
    sender.cancel?.()
    sender.cancel = undefined
    if (sender.waiting.size === 0) return
    const now = this.#clock.now()
    const until = () => Math.min(...Array.from(sender.waiting.values(), (held) => held.until))
    sender.cancel = this.#clock.setTimer(until() - now, () => {
      while (until() <= this.#clock.now()) this.#passOver(name, sender)
      this.#schedule(name, sender)
    })
  }
}
