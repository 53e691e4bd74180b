import type { TokenBucket } from './tokenBucket.ts'

/** Names whose rates are remembered; the longest unheard are forgotten first. */
const remembered = 1 << 16

/** A rate for each name, in the order in which they were last heard of. */
export class Rates {
  readonly #make: () => TokenBucket
  readonly #buckets = new Map<string, TokenBucket>()

  constructor(make: () => TokenBucket) {
    this.#make = make
  }

  /** The name's rate, which is heard of by that. */
  of(name: string): TokenBucket {
    const bucket = this.#buckets.get(name) ?? this.#make()
    this.#buckets.delete(name)
    this.#buckets.set(name, bucket)
    if (this.#buckets.size > remembered) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    return bucket
  }
}
