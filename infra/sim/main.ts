import { type Arguments, readArguments, usage } from './arguments.ts'
import { Coverage } from './coverage.ts'
import {
  describeFailure,
  describeSummary,
  type Failure,
  failureAsJson,
  planFor,
  summaryAsJson,
} from './report.ts'
import { shrink } from './shrink.ts'
import { SimError } from './simError.ts'
import { simulate } from './simulate.ts'

/** How often a long run says how far it is, in milliseconds. */
const progressMs = 10_000

try {
  const wanted = readArguments(process.argv.slice(2))
  if (wanted === undefined) console.log(usage)
  else process.exitCode = await main(wanted)
} catch (error) {
  if (!(error instanceof SimError)) throw error
  console.error(`✗ ${error.code}: ${error.message}\n\nSee --help.`)
  process.exitCode = 2
}

async function main(wanted: Arguments): Promise<number> {
  const { seed: first, runs, members, steps, only, trace, json } = wanted
  const coverage = new Coverage()
  const figures: Record<string, number> = {}
  const started = Date.now()
  let said = started
  let failed = 0
  for (let seed = first; seed < first + runs; seed++) {
    const plan = planFor(seed, members, steps, only)
    const outcome = await simulate(plan)
    coverage.add(outcome.coverage)
    for (const [name, figure] of Object.entries(outcome.figures)) {
      figures[name] = (figures[name] ?? 0) + figure
    }
    if (trace) for (const line of outcome.trace) console.error(line)
    if (outcome.violation !== undefined) {
      failed += 1
      const shrunk = only === undefined ? await shrink(plan, outcome) : { plan, outcome }
      const failure: Failure = { ...shrunk, stepCount: steps }
      console.log(json ? failureAsJson(failure) : describeFailure(failure))
    }
    if (Date.now() - said < progressMs) continue
    said = Date.now()
    console.error(`… ${seed - first + 1} of ${runs} runs, ${failed} failed`)
  }
  const summary = { runs, failed, seconds: (Date.now() - started) / 1000, figures, coverage }
  console.log(json ? summaryAsJson(summary) : describeSummary(summary))
  return failed === 0 ? 0 : 1
}
