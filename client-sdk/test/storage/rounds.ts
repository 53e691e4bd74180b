import type { Bytes } from '@conclave/core/codec'
import type { SessionStore } from '../../src/index.ts'

const places = ['meeting/state', 'meeting/pending', 'meeting/log', 'incarnation']

/** Round after round, every place gets the round's number, in values of many lengths. */
export function roundChanges(round: number): Map<string, Bytes> {
  return new Map(
    places.map((key, i) => [key, roundValue(round, (round * 7_919 + i * 131) % 20_000)]),
  )
}

function roundValue(round: number, filler: number): Bytes {
  const value = new Uint8Array(4 + filler)
  new DataView(value.buffer).setUint32(0, round)
  return value
}

/** The rounds that a store's places hold: more than one if a write has been torn apart. */
export async function roundsIn(store: SessionStore): Promise<number[]> {
  const rounds = new Set<number>()
  for (const key of places) {
    const value = await store.read(key)
    rounds.add(value === undefined ? 0 : new DataView(value.buffer).getUint32(0))
  }
  return [...rounds]
}
