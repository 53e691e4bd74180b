import { hash } from 'node:crypto'
import type { RandomBytes } from '@conclave/core'

/**
 * Chance that can be had again. Each place draws for itself, so that what happens in one changes
 * nothing of what others draw, and a run with fewer steps meets the same luck in the rest.
 */
export class Chance {
  readonly #place: string
  #state: number

  constructor(...place: readonly (string | number)[]) {
    this.#place = place.join('/')
    this.#state = hash('sha256', this.#place, 'buffer').readUInt32BE()
  }

  /** Chance of its own for something within. */
  of(...place: readonly (string | number)[]): Chance {
    return new Chance(this.#place, ...place)
  }

  /** At least `from`, below `to`; not rounded. */
  between(from: number, to: number): number {
    return from + this.#draw() * (to - from)
  }

  /** A whole number, at least `from`, at most `to`. */
  whole(from: number, to: number): number {
    return Math.floor(this.between(from, to + 1))
  }

  /** The same, each order of magnitude as likely as the next. */
  magnitude(from: number, to: number): number {
    return Math.floor(Math.exp(this.between(Math.log(from), Math.log(to + 1))))
  }

  happens(probability: number): boolean {
    return this.#draw() < probability
  }

  pick<T>(list: readonly T[]): T {
    const picked = list[Math.floor(this.between(0, list.length))]
    if (picked === undefined) throw new RangeError('nothing to pick from')
    return picked
  }

  /** mulberry32: as good as a simulation needs, and hundreds of draws to a hash. */
  #draw(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Bytes for keys that are the same in every run. */
export function randomBytesOf(...place: readonly (string | number)[]): RandomBytes {
  const name = place.join('/')
  let blocks = 0
  return (length) => {
    const bytes = new Uint8Array(length)
    for (let at = 0; at < length; at += 32) {
      const block = hash('sha256', `${name}#${blocks++}`, 'buffer')
      bytes.set(block.subarray(0, Math.min(32, length - at)), at)
    }
    return bytes
  }
}
