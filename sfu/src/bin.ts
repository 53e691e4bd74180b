#!/usr/bin/env node
import { availableParallelism } from 'node:os'
import { ConclaveError } from '@conclave/core'
import { CommanderError } from 'commander'
import * as mediasoup from 'mediasoup'
import pino from 'pino'
import { readConfig } from './edge/config.ts'
import { serve } from './edge/serve.ts'

async function main(): Promise<void> {
  const config = readConfig(process.argv.slice(2), process.env, { workers: availableParallelism() })
  const logger = pino({ level: config.logLevel })
  mediasoup.setLogEventListeners({
    onwarn: (namespace, log) => logger.warn({ namespace }, log),
    onerror: (namespace, log) => logger.error({ namespace }, log),
  })
  const server = await serve(config, logger)
  const stop = () => {
    logger.info('the SFU is closing')
    server.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    )
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
}

function fail(error: unknown): void {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode
    return
  }
  const { message, ...rest } =
    error instanceof ConclaveError
      ? { message: error.message, code: error.code, remedy: error.remedy }
      : { message: error instanceof Error ? error.message : String(error) }
  process.stderr.write(`${JSON.stringify({ level: 'fatal', message, ...rest })}\n`)
  process.exitCode = 1
}

main().catch(fail)
