import type { Bytes } from '../../codec/bytes.ts'
import type { FutureLimits } from './retention.ts'

interface FutureMessage {
  readonly epoch: bigint
  readonly message: Bytes
  readonly arrivedAt: number
}

/** Messages that came before their epoch, in the order in which they came. */
export class FutureMessages {
  readonly #limits: FutureLimits
  #waiting: readonly FutureMessage[] = []

  constructor(limits: FutureLimits) {
    this.#limits = limits
  }

  /** Whether the message is kept for its epoch; one that does not fit changes nothing. */
  keep(epoch: bigint, message: Bytes, current: bigint, nowMs: number): boolean {
    this.prune(current, nowMs)
    const { epochs, messages, bytes } = this.#limits
    const size = this.#waiting.reduce((sum, waiting) => sum + waiting.message.length, 0)
    const fits =
      epoch - current <= BigInt(epochs) &&
      this.#waiting.length < messages &&
      size + message.length <= bytes
    if (fits) this.#waiting = [...this.#waiting, { epoch, message, arrivedAt: nowMs }]
    return fits
  }

  /** The next message whose epoch has come; it is not kept any longer. */
  take(current: bigint, nowMs: number): Bytes | undefined {
    this.prune(current, nowMs)
    const due = this.#waiting.find(({ epoch }) => epoch === current)
    this.#waiting = this.#waiting.filter((waiting) => waiting !== due)
    return due?.message
  }

  /** Drops what is over, or has waited too long. */
  prune(current: bigint, nowMs: number): void {
    const { milliseconds } = this.#limits
    this.#waiting = this.#waiting.filter(
      ({ epoch, arrivedAt }) => epoch >= current && nowMs - arrivedAt < milliseconds,
    )
  }
}
