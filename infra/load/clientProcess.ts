import { setTimeout as delay } from 'node:timers/promises'
import { memoryInUse } from '../bench/measure.ts'
import { answerParent, cpuTime, machineTime } from '../servers/child.ts'
import { type ClientRecord, LoadClient, type MeetingPlace } from './loadClient.ts'
import { measurePrimitives } from './primitiveCosts.ts'
import type { Holding } from './recordingCryptor.ts'

/** What a client is to do, and when by the machine's time. */
export interface Action {
  readonly kind: 'join' | 'renew' | 'leave'
  readonly name: string
  readonly at: number
}

/** How a client's session stands that ought to be in the meeting. */
export interface Standing {
  readonly name: string
  readonly holding: Holding | undefined
  readonly failed: string | undefined
}

export type ClientQuestions = typeof questions

/* Several participants, who share a process as they never do in a real meeting. */
const place: MeetingPlace = JSON.parse(process.argv[2] ?? '')
const clients = new Map<string, LoadClient>()
const waiting = new Set<() => void>()

function changed(): void {
  for (const look of waiting) look()
}

async function act({ kind, name, at }: Action): Promise<void> {
  await delay(Math.max(0, at - machineTime()))
  if (kind === 'join') {
    const client = new LoadClient(name, place, changed)
    clients.set(name, client)
    await client.join()
  } else if (kind === 'renew') clients.get(name)?.renew()
  else await clients.get(name)?.leave()
}

function standings(): readonly Standing[] {
  return [...clients.values()]
    .filter((client) => client.isIn || client.failed !== undefined)
    .map(({ name, cryptor, failed }) => ({ name, holding: cryptor.holding, failed }))
}

/** Until each of our clients sees so many members, one of them has failed, or patience is over. */
async function settle(members: number): Promise<readonly Standing[]> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const look = () => {
    const all = standings()
    const settled = all.every(({ holding }) => holding?.members === members)
    if (settled || all.some(({ failed }) => failed !== undefined)) resolve()
  }
  waiting.add(look)
  const timer = setTimeout(resolve, place.patienceMs)
  look()
  await promise
  clearTimeout(timer)
  waiting.delete(look)
  return standings()
}

const questions = {
  cpuTime,
  primitives: () => measurePrimitives(),
  memory: () => memoryInUse(),
  /** Does all of it. */
  act: async (actions: readonly Action[]) => {
    await Promise.all(actions.map(act))
  },
  settle,
  leaves: () => [...clients.values()].map(({ name, leaf }) => ({ name, leaf })),
  records: (): readonly ClientRecord[] => [...clients.values()].map(({ record }) => record),
}
answerParent(questions)
