import { systemClock } from '@conclave/keyserver'
import { pino } from 'pino'
import { createClient } from 'redis'
import { bullJobs } from '../../src/jobs/bullJobs.ts'

/** Takes up a job and never ends it: a process for a test to kill. Prints what it has taken. */
const [, , url = ''] = process.argv
const jobs = bullJobs({
  redis: createClient({ url }),
  clock: systemClock,
  logger: pino({ level: 'silent' }),
})

function hang(): Promise<void> {
  console.log('taken')
  return new Promise(() => {})
}

await jobs.start({ 'check-group': hang, webhook: hang, 'sweep-directory': async () => {} })
console.log('started')
