#!/usr/bin/env node
import process from 'node:process'
import { ConclaveError } from '@conclave/core'
import { AccessError } from '@conclave/core/access'
import { CommanderError } from 'commander'
import { pino } from 'pino'
import { accessSecretVariable, readConfiguration } from './configuration.ts'
import { serve } from './serve.ts'

// From the start, so that a signal during the start is not lost.
const asked = new Promise<void>((resolve) => {
  process.once('SIGINT', () => resolve())
  process.once('SIGTERM', () => resolve())
})

try {
  const configuration = readConfiguration(process.argv.slice(2), process.env)
  const running = await serve(configuration, pino({ level: configuration.logLevel }))
  await asked
  await running.close()
  process.exit(0)
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode)
  process.stderr.write(`${explain(error)}\n`)
  process.exit(1)
}

function explain(error: unknown): string {
  if (!(error instanceof ConclaveError)) return String(error)
  const where = error instanceof AccessError ? `${accessSecretVariable}: ` : ''
  const remedy = error.remedy === undefined ? '' : `\n${error.remedy}`
  return `${where}${error.message}${remedy}`
}
