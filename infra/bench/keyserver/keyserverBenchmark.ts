import { measureAccept } from './accept.ts'
import type { KeyserverArguments } from './arguments.ts'
import { measureReconnect, measureResume } from './comeBack.ts'
import { Crowd } from './crowd.ts'
import { measureFanout } from './fanout.ts'
import type { Upload } from './preparedGroup.ts'
import type { Row } from './samples.ts'
import { openStage, type Stage } from './stage.ts'

/** Blocks for the compilers: a keyserver runs for weeks. */
const warmingRounds = 24

type Progress = (line: string) => void

/**
 * Measures a keyserver beside the floor.
 * @throws BenchError `bench-server-failed`, `bench-work-not-done`
 */
export async function runKeyserverBenchmark(
  wanted: KeyserverArguments,
  progress: Progress,
): Promise<readonly Row[]> {
  const { store, only, meetings, entries, rounds } = wanted
  const all: Row[] = []
  const add = (rows: readonly Row[]) => {
    for (const row of rows) progress(`✓ ${store}: ${shortly(row)}`)
    all.push(...rows)
  }
  const stage = await openStage(store)
  try {
    if (only.has('commit.accept')) {
      progress(`▸ ${store}: warming up`)
      for (const kind of ['update', 'add'] as const) {
        await measureAccept(stage, { meetings: 10, kind, rounds: warmingRounds, name: 'warm-up' })
      }
      for (const kind of ['update', 'add'] as const) {
        for (const n of meetings) {
          progress(`▸ ${store}: commits in ${n} meetings`)
          add(await measureAccept(stage, { meetings: n, kind, rounds }))
        }
      }
    }
    if (only.has('resume')) {
      progress(`▸ ${store}: a log of ${entries} entries`)
      add(await measureResume(stage, entries, 2 * rounds))
    }
    if (only.has('fanout') || only.has('reconnect'))
      await measureCrowd(stage, wanted, progress, add)
  } finally {
    await stage.close()
  }
  return all
}

async function measureCrowd(
  stage: Stage,
  { store, members, only, rounds }: KeyserverArguments,
  progress: Progress,
  add: (rows: readonly Row[]) => void,
): Promise<void> {
  progress(`▸ ${store}: a meeting of ${members}`)
  const crowd = await Crowd.gather(stage, members)
  const { group } = crowd
  if (only.has('fanout')) {
    const times = 4 * rounds + 1
    const commits = async () => {
      const uploads: Upload[] = []
      while (uploads.length < times) uploads.push(await group.commit())
      return uploads
    }
    add(await measureFanout(stage, crowd, 'cold tree', await commits()))
    // Somebody in each subtree beside the founder's path: from now on commits are short.
    await measureFanout(stage, crowd, 'warming', await group.commitOfOthers())
    add(await measureFanout(stage, crowd, 'warm tree', await commits()))
  }
  if (only.has('reconnect')) {
    progress(`▸ ${store}: everybody comes back`)
    add(await measureReconnect(stage, crowd, Math.ceil(rounds / 2)))
  }
  crowd.disperse()
}

function shortly({ op, n, case: what, unit, value, floor }: Row): string {
  return `${op} of ${n}, ${what}: ${value.toFixed(2)} ${unit}, floor ${floor.toFixed(2)}`
}
