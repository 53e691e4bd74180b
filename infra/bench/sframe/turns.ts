import { median } from '../measure.ts'

/** Works on blocks of frames; what a block needs is made outside the measurement. */
export interface Contestant {
  /** @returns the block: what is measured */
  prepare(frames: number): Promise<() => Promise<unknown>>
}

/** Frames a second: medians of the blocks, and the median of what each pair of blocks came to. */
export interface Rates {
  readonly value: number
  readonly floor: number
  /** `value` ÷ `floor`, of blocks that followed each other. */
  readonly ratio: number
}

/** Blocks that are not counted: the functions are compiled meanwhile. */
const warmingRounds = 5

/** So much is encrypted in a block: a millisecond or so, many ticks of a browser's clock. */
const blockBytes = 250_000
const [fewestFrames, mostFrames] = [10, 400]

export function framesOfBlock(bytes: number): number {
  return Math.min(mostFrames, Math.max(fewestFrames, Math.floor(blockBytes / bytes)))
}

/**
 * Lets both take turns, so that the machine's moods meet both; who begins changes from round to
 * round.
 */
export async function takeTurns(
  ours: Contestant,
  bare: Contestant,
  { frames, rounds }: { readonly frames: number; readonly rounds: number },
): Promise<Rates> {
  const rates: { ours: number; bare: number }[] = []
  for (let round = -warmingRounds; round < rounds; round++) {
    const rate = { ours: 0, bare: 0 }
    const both = [
      ['ours', ours],
      ['bare', bare],
    ] as const
    for (const [name, contestant] of round % 2 === 0 ? both : both.toReversed()) {
      rate[name] = await rateOf(contestant, frames)
    }
    if (round >= 0) rates.push(rate)
  }
  return {
    value: median(rates.map(({ ours }) => ours)),
    floor: median(rates.map(({ bare }) => bare)),
    ratio: median(rates.map(({ ours, bare }) => ours / bare)),
  }
}

async function rateOf(contestant: Contestant, frames: number): Promise<number> {
  const block = await contestant.prepare(frames)
  // What the one before has left behind is not for this one to clear away.
  globalThis.gc?.({ type: 'minor' })
  const started = performance.now()
  await block()
  return (1000 * frames) / (performance.now() - started)
}
