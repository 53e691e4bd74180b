#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { pino } from 'pino'
import type { Configuration } from './configuration.ts'
import { runProgram } from './program.ts'
import { serve } from './serve.ts'

/** Resolves when the process is asked to stop; asked again, it stops at once. */
function askedToStop(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    const stop = (): void => {
      if (asked) process.exit(1)
      asked = true
      resolve()
    }
    process.on('SIGINT', stop)
    process.on('SIGTERM', stop)
  })
}

async function serveUntilAsked(configuration: Configuration): Promise<void> {
  // From the start, so that a signal during the start is not lost.
  const asked = askedToStop()
  const running = await serve(configuration, pino({ level: configuration.logLevel }))
  await asked
  await running.drain()
}

const manifest = new URL('../../package.json', import.meta.url)
const { version }: { readonly version: string } = JSON.parse(readFileSync(manifest, 'utf8'))

process.exitCode = await runProgram(process.argv.slice(2), {
  environment: process.env,
  print: (text) => process.stdout.write(`${text}\n`),
  complain: (text) => process.stderr.write(text),
  serve: serveUntilAsked,
  version,
})
// Nothing that is left open, a client of Redis say, may keep the process.
process.exit()
