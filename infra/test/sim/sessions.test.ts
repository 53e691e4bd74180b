import { execFileSync } from 'node:child_process'
import { hash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, type TestContext } from 'vitest'
import { seed as campaignSeed, report, runsOr } from '../../../core/test/campaign.ts'
import { repository } from '../../entry/repository.mjs'
import { outputOf } from '../sourceProcess.ts'

/* What has to hold is in infra/sim/invariants; a seed that fails is printed with what replays it. */

interface Shape {
  readonly members: number
  readonly steps: number
}

interface Summary {
  readonly runs: number
  readonly figures: Readonly<Record<string, number>>
  readonly counts: Readonly<Record<string, number>>
  readonly faults: Readonly<Record<string, Readonly<Record<string, number>>>>
}

const script = join(repository, 'infra', 'sim', 'main.ts')
const processes = Math.min(4, availableParallelism())

/** What `npm run sim` says of these seeds: failures, and then the summary. */
async function simulated(seed: number, runs: number, shape: Shape): Promise<readonly string[]> {
  const { members, steps } = shape
  const options = { seed, runs, members, steps }
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const output = await outputOf(script, [...args, '--json'])
  return output.split('\n')
}

/** Simulates consecutive seeds, with a process for each core. */
async function runSeeds(context: TestContext, seed: number, runs: number, shape: Shape) {
  const share = Math.ceil(runs / processes)
  const firsts = Array.from({ length: processes }, (_, i) => i * share)
  const outputs = await Promise.all(
    firsts.map((first) => simulated(seed + first, Math.min(share, runs - first), shape)),
  )
  const lines = outputs.flat().map((line) => JSON.parse(line))
  expect(lines.filter(({ sim }) => sim === 'failure')).toEqual([])
  const summaries: readonly Summary[] = lines
  expect(summaries.reduce((sum, one) => sum + one.runs, 0)).toBe(runs)
  report(context, figuresOf(summaries))
}

/** All that happened, and how many kinds of message met how many kinds of fault. */
function figuresOf(summaries: readonly Summary[]): Readonly<Record<string, number>> {
  const figures: Record<string, number> = {}
  const met = new Set<string>()
  for (const { runs, figures: own, counts, faults } of summaries) {
    for (const [name, count] of Object.entries({ runs, ...own, ...counts })) {
      figures[name] = (figures[name] ?? 0) + count
    }
    for (const [kind, each] of Object.entries(faults)) {
      for (const fault of Object.keys(each)) met.add(`${kind}, ${fault}`)
    }
  }
  return { ...figures, 'messages that met a fault, in kinds': met.size }
}

/** Seeds that each commit tries for the first time. */
function seedOfCommit(): number {
  const commit = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: repository, encoding: 'utf8' })
  return hash('sha256', commit.trim(), 'buffer').readUInt32BE() >>> 2
}

/** How many are in a meeting, how much happens in it, and in which part of the runs. */
const shapes: readonly (Shape & { readonly part: number })[] = [
  { members: 2, steps: 8, part: 0.35 },
  { members: 3, steps: 10, part: 0.35 },
  { members: 4, steps: 12, part: 0.25 },
  { members: 6, steps: 16, part: 0.05 },
]

describe('meetings under faults hold every invariant', () => {
  const runs = runsOr(0)
  if (runs > 0) {
    it.for(shapes)('of $members people, in $steps steps', ({ part, ...shape }, context) =>
      runSeeds(context, campaignSeed, Math.round(runs * part), shape),
    )
  } else {
    it('from 100 seeds', { timeout: 120_000 }, (context) =>
      runSeeds(context, 1, 100, { members: 4, steps: 14 }),
    )
    it('from 50 seeds of this commit', { timeout: 120_000 }, (context) =>
      runSeeds(context, seedOfCommit(), 50, { members: 4, steps: 14 }),
    )
  }
})
