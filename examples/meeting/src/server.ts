import { fileURLToPath } from 'node:url'
import { ConclaveError } from '@conclave/core'
import { AccessError } from '@conclave/core/access'
import { CommanderError } from 'commander'
import { pino } from 'pino'
import { accessSecretVariable, readConfiguration } from './configuration.ts'
import { startMeetingServer } from './meetingServer.ts'

const exitCode = await main().catch(explain)
if (exitCode !== undefined) process.exitCode = exitCode

async function main(): Promise<undefined> {
  const { json, logLevel, ...configuration } = readConfiguration(process.argv.slice(2), process.env)
  const interrupted = Promise.withResolvers<void>()
  // A second signal ends the process at once.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => interrupted.resolve())
  }
  const server = await startMeetingServer({
    ...configuration,
    pageFolder: fileURLToPath(new URL('./page', import.meta.url)),
    logger: pino({ level: logLevel }, pino.destination({ dest: 2, sync: true })),
  })
  const { url, port } = server
  say(json ? JSON.stringify({ event: 'listening', url, port }) : `Meeting at ${url}`)
  await interrupted.promise
  await server.close()
  if (json) say(JSON.stringify({ event: 'stopped' }))
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode
  if (!(error instanceof ConclaveError)) throw error
  const { code, remedy } = error
  const where = error instanceof AccessError ? `${accessSecretVariable}: ` : ''
  const message = `${where}${error.message}`
  const wantsJson = process.argv.includes('--json')
  const lines = [`${message} (${code})`, ...(remedy === undefined ? [] : [remedy])]
  process.stderr.write(
    wantsJson
      ? `${JSON.stringify({ event: 'failed', code, message, remedy })}\n`
      : `${lines.join('\n')}\n`,
  )
  return 1
}
