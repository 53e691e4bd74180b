import { BenchError } from '../../bench/benchError.ts'
import { runMeeting } from '../../load/meetingLoad.ts'
import type { Fault } from '../../load/recordingCryptor.ts'

/* A short run in which `member 2` has a fault; prints what comes of it. */
const [, , fault, patienceMs] = process.argv
try {
  await runMeeting(
    4,
    {
      store: 'memory',
      files: false,
      provider: 'node',
      processes: 2,
      stormSeconds: 1,
      churnSeconds: 1,
      leaves: 1,
      patienceMs: Number(patienceMs),
      faults: { 'member 2': fault as Fault },
    },
    () => {},
  )
  console.log('{}')
} catch (error) {
  if (!(error instanceof BenchError)) throw error
  console.log(JSON.stringify({ code: error.code, message: error.message }))
}
