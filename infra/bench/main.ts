import { readArguments, usage } from './arguments.ts'
import { BenchError } from './benchError.ts'
import { runBenchmark } from './benchmark.ts'
import { describeRun } from './machine.ts'
import { jsonReport, markdownReport, tableReport } from './report.ts'

const reports = { table: tableReport, json: jsonReport, markdown: markdownReport }

try {
  const wanted = readArguments(process.argv.slice(2))
  if (wanted === undefined) {
    console.log(usage)
  } else {
    // While it takes its time, somebody may commit.
    const run = describeRun()
    const measured = await runBenchmark(wanted, (line) => console.error(line))
    console.log(reports[wanted.format](run, measured))
  }
} catch (error) {
  if (!(error instanceof BenchError)) throw error
  console.error(`✗ ${error.code}: ${error.message}`)
  if (error.code === 'bench-arguments-wrong') console.error(`\n${usage}`)
  process.exitCode = error.code === 'bench-arguments-wrong' ? 2 : 1
}
