import { describeRun } from '../machine.ts'
import { keyserverUsage, readKeyserverArguments } from './arguments.ts'
import { runKeyserverBenchmark } from './keyserverBenchmark.ts'
import { keyserverJson, keyserverMarkdown, keyserverTable } from './keyserverReport.ts'

const reports = { table: keyserverTable, json: keyserverJson, markdown: keyserverMarkdown }

/** @throws BenchError */
export async function keyserverMain(args: readonly string[]): Promise<void> {
  const wanted = readKeyserverArguments(args)
  if (wanted === undefined) {
    console.log(keyserverUsage)
    return
  }
  const run = describeRun({ platform: 'node', versus: [] })
  const rows = await runKeyserverBenchmark(wanted, (line) => console.error(line))
  console.log(reports[wanted.format](run, { store: wanted.store, rows }))
}
