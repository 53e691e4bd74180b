import type { Bytes } from '../../../src/codec/bytes.ts'
import { seededRandom } from '../../crypto/suite.ts'

/** A message on its way to one member. */
export interface Letter {
  readonly kind: 'application' | 'proposal' | 'commit'
  /** That it was made in. */
  readonly epoch: bigint
  readonly from: string
  readonly message: Bytes
  /** Whether it is a commit that another was chosen before. */
  readonly lost?: boolean
  /** What it says, if it is application data: nothing says the same. */
  readonly text?: string
}

/** Draws what chance decides, the same for the same seed. */
export class Chance {
  readonly #random: (length: number) => Bytes

  constructor(seed: string) {
    this.#random = seededRandom(seed)
  }

  below(count: number): number {
    const [high = 0, low = 0] = this.#random(2)
    return ((high << 8) | low) % count
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0
  }
}

/**
 * What the network makes of the letters to one member. The log of handshakes keeps its order within
 * an epoch, and its epochs may come the wrong way round; application messages come at any time, twice
 * or never.
 */
export function perturbed(letters: readonly Letter[], chance: Chance): readonly Letter[] {
  const epochs = new Map<bigint, Letter[]>()
  for (const letter of letters) {
    if (letter.kind === 'application') continue
    const batch = epochs.get(letter.epoch) ?? []
    batch.push(letter)
    if (chance.once(6)) batch.push(letter)
    epochs.set(letter.epoch, batch)
  }
  const batches = [...epochs.values()]
  for (let i = 1; i < batches.length; i++) {
    if (!chance.once(2)) continue
    const [before, after] = [batches[i - 1] as Letter[], batches[i] as Letter[]]
    batches[i - 1] = after
    batches[i] = before
  }
  const arrived = batches.flat()
  for (const letter of letters) {
    if (letter.kind !== 'application' || chance.once(8)) continue
    for (let copies = chance.once(4) ? 2 : 1; copies > 0; copies--) {
      arrived.splice(chance.below(arrived.length + 1), 0, letter)
    }
  }
  return arrived
}

/** A message in which one bit has changed. */
export function damaged(message: Bytes, chance: Chance): Bytes {
  const copy = message.slice()
  const at = chance.below(copy.length)
  copy[at] = (copy[at] as number) ^ (1 << chance.below(8))
  return copy
}
