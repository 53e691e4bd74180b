import { BenchError } from '../bench/benchError.ts'
import { readArguments, usage } from './arguments.ts'
import { runMeeting } from './meetingLoad.ts'

try {
  const wanted = readArguments(process.argv.slice(2))
  if (wanted === undefined) console.log(usage)
  else {
    for (const n of wanted.participants) {
      const run = await runMeeting(n, wanted.workload, (line) => console.error(line))
      console.log(JSON.stringify(run, null, 1).length)
    }
  }
} catch (error) {
  if (!(error instanceof BenchError)) throw error
  console.error(`✗ ${error.code}: ${error.message}`)
  if (error.code === 'bench-arguments-wrong') console.error('\nSee --help.')
  process.exitCode = error.code === 'bench-arguments-wrong' ? 2 : 1
}
