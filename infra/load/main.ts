import { writeFile } from 'node:fs/promises'
import { BenchError } from '../bench/benchError.ts'
import { describeRun } from '../bench/machine.ts'
import { type LoadArguments, readArguments, usage } from './arguments.ts'
import { loadJson, loadMarkdown, loadTable } from './loadReport.ts'
import { runMeeting } from './meetingLoad.ts'
import { plot } from './plot.ts'
import { type Row, rowsOf } from './rows.ts'

const reports = { table: loadTable, json: loadJson, markdown: loadMarkdown }
const progress = (line: string) => console.error(line)

try {
  const wanted = readArguments(process.argv.slice(2))
  if (wanted === undefined) console.log(usage)
  else await load(wanted)
} catch (error) {
  if (!(error instanceof BenchError)) throw error
  console.error(`✗ ${error.code}: ${error.message}`)
  if (error.code === 'bench-arguments-wrong') console.error('\nSee --help.')
  process.exitCode = error.code === 'bench-arguments-wrong' ? 2 : 1
}

async function load({ participants, workload, format, svg }: LoadArguments): Promise<void> {
  // While it takes its time, somebody may commit.
  const run = describeRun({ platform: workload.provider, versus: [] })
  const rows: Row[] = []
  try {
    for (const n of participants) {
      progress(`▸ a meeting of ${n}`)
      rows.push(...rowsOf(await runMeeting(n, workload, progress)))
    }
  } finally {
    // Where a larger meeting fails, the smaller ones have been measured all the same.
    const { store, files, processes } = workload
    if (rows.length > 0) console.log(reports[format](run, { store, files, processes, rows }))
    if (rows.length > 0 && svg !== undefined) await writeFile(svg, plot(rows))
  }
}
