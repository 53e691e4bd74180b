import { expect, vi } from 'vitest'
import type { Received } from '../page/probe.ts'
import { type Participant, patienceMs } from './participant.ts'

/** What one participant got of another, between two moments. */
export interface Flow {
  readonly framesPerSecond: number
  /** Share of the samples played that were made up for want of sound. */
  readonly concealed: number
  readonly audioEnergy: number
}

/** Flows by `receiver ← sender`. */
export type Flows = ReadonlyMap<string, Flow>

/** Waits until everyone sees and hears everyone else. */
export async function everyoneReceives(participants: readonly Participant[]): Promise<void> {
  await vi.waitFor(
    async () => {
      for (const received of await receivedBy(participants)) {
        expect(received).toHaveLength(participants.length - 1)
        for (const { framesDecoded, audioEnergy } of received) {
          expect(framesDecoded).toBeGreaterThan(40)
          expect(audioEnergy).toBeGreaterThan(0)
        }
      }
    },
    { timeout: patienceMs, interval: 500 },
  )
}

/** What flows between the participants while something happens. */
export async function flowsDuring(
  participants: readonly Participant[],
  happening: () => Promise<void>,
): Promise<Flows> {
  const begin = await receivedBy(participants)
  await happening()
  const end = await receivedBy(participants)
  const flows = new Map<string, Flow>()
  for (const [index, { name }] of participants.entries()) {
    for (const before of begin[index] ?? []) {
      const after = end[index]?.find(({ from }) => from === before.from)
      // A participant who has gone meanwhile is received no more.
      if (after !== undefined) flows.set(`${name} ← ${before.from}`, flowBetween(before, after))
    }
  }
  return flows
}

/**
 * What flows in the calmest of a few stretches of time, by each measure. Other work on the machine
 * comes and goes; what encryption costs is there all the time.
 */
export async function calmestFlows(
  participants: readonly Participant[],
  stretches: { readonly count: number; readonly seconds: number },
): Promise<Flows> {
  const calmest = new Map<string, Flow>()
  for (let stretch = 0; stretch < stretches.count; stretch++) {
    const flows = await flowsDuring(participants, () => seconds(stretches.seconds))
    for (const [pair, flow] of flows) {
      const best = calmest.get(pair) ?? flow
      calmest.set(pair, {
        framesPerSecond: Math.max(best.framesPerSecond, flow.framesPerSecond),
        concealed: Math.min(best.concealed, flow.concealed),
        audioEnergy: Math.max(best.audioEnergy, flow.audioEnergy),
      })
    }
  }
  return calmest
}

export function seconds(count: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, count * 1000))
}

function receivedBy(participants: readonly Participant[]): Promise<Received[][]> {
  return Promise.all(participants.map((participant) => participant.received()))
}

function flowBetween(before: Received, after: Received): Flow {
  const samples = after.samplesReceived - before.samplesReceived
  return {
    framesPerSecond:
      ((after.framesDecoded - before.framesDecoded) / (after.atMs - before.atMs)) * 1000,
    concealed: (after.samplesConcealed - before.samplesConcealed) / samples,
    audioEnergy: after.audioEnergy - before.audioEnergy,
  }
}
