import { readyWorker } from '../mediasoup-worker/resolve.mjs'
import { chromium, findProgram, firefox, redisServer } from './programs.mjs'

/**
 * Names to the tests what `npm test` would have named, so that Vitest can also be run by hand.
 */
export function setup() {
  for (const program of [chromium, firefox, redisServer]) {
    const path = findProgram(program)
    if (path !== undefined) process.env[program.variable] = path
  }
  const worker = readyWorker()
  if (worker !== undefined) process.env['MEDIASOUP_WORKER_BIN'] = worker
  else console.warn('no mediasoup worker yet: node infra/mediasoup-worker/resolve.mjs gets one')
}
