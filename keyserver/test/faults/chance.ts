import { createHash } from 'node:crypto'

/**
 * Chance that can be had again: each draw is a hash of the place, which begins with a seed, and of
 * how many came before there, so that what runs at the same time does not change what others draw.
 */
export class Chance {
  readonly #place: string
  #draws = 0

  constructor(...place: readonly (string | number)[]) {
    this.#place = place.join('/')
  }

  /** Chance of its own for something within. */
  of(...place: readonly (string | number)[]): Chance {
    return new Chance(this.#place, ...place)
  }

  /** At least `from`, below `to`; not rounded. */
  between(from: number, to: number): number {
    const draw = createHash('sha256')
      .update(`${this.#place}#${this.#draws++}`)
      .digest()
    return from + (draw.readUInt32BE() / 2 ** 32) * (to - from)
  }

  happens(probability: number): boolean {
    return this.between(0, 1) < probability
  }

  pick<T>(list: readonly T[]): T {
    const picked = list[Math.floor(this.between(0, list.length))]
    if (picked === undefined) throw new RangeError('nothing to pick from')
    return picked
  }
}
