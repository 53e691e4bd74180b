import { type Bytes, concatBytes } from '@conclave/core/codec'

/** Chance that is the same for the same seed. */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** At least 0 and less than `end`. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end)
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item
  }

  bytes(length: number): Bytes {
    return Uint8Array.from({ length }, () => this.below(256))
  }
}

type Damage = (chance: Chance, frame: Bytes, others: readonly Bytes[]) => Bytes

/** Bytes at the two ends, where headers and tags stand, are hit as often as all between them. */
function place(chance: Chance, { length }: Bytes): number {
  const end = Math.min(24, length)
  return chance.of([
    () => chance.below(end),
    () => length - 1 - chance.below(end),
    () => chance.below(length),
  ])()
}

const damages: readonly Damage[] = [
  // Bits flipped.
  (chance, frame) => {
    const hit = frame.slice()
    for (let flips = chance.below(3); flips >= 0; flips--) {
      const at = place(chance, frame)
      hit[at] = (hit[at] as number) ^ (1 << chance.below(8))
    }
    return hit
  },
  // Bytes overwritten.
  (chance, frame) => {
    const hit = frame.slice()
    hit.set([chance.of([0, 1, 3, 0x80, 0xff, chance.below(256)])], place(chance, frame))
    return hit
  },
  // Cut short at either end.
  (chance, frame) => frame.slice(0, chance.below(frame.length + 1)),
  (chance, frame) => frame.slice(chance.below(frame.length + 1)),
  // Something inserted, taken out, repeated or moved.
  (chance, frame) => {
    const at = place(chance, frame)
    const inserted = chance.bytes(chance.below(5))
    return concatBytes(frame.subarray(0, at), inserted, frame.subarray(at))
  },
  (chance, frame) => {
    const at = place(chance, frame)
    return concatBytes(frame.subarray(0, at), frame.subarray(at + 1 + chance.below(8)))
  },
  (chance, frame) => {
    const [a, b] = [place(chance, frame), place(chance, frame)]
    return concatBytes(frame.subarray(0, Math.max(a, b)), frame.subarray(Math.min(a, b)))
  },
  // The beginning of one and the end of another.
  (chance, frame, others) => {
    const other = chance.of(others)
    return concatBytes(
      frame.subarray(0, place(chance, frame)),
      other.subarray(place(chance, other)),
    )
  },
  // As it is: replayed, or of another sender, source or epoch.
  (_, frame) => frame.slice(),
  // Made up.
  (chance) => chance.bytes(chance.below(100)),
]

/** What a hostile relay may make of the frames that it has seen. */
export function damaged(chance: Chance, frames: readonly Bytes[]): Bytes {
  const frame = chance.of(frames)
  return chance.of(damages)(chance, frame, frames)
}
