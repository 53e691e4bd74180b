import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { localUrl } from './addresses.ts'
import { type Configuration, hostOption, portOption } from './configuration.ts'
import { listen } from './listen.ts'
import { MeetingServerError } from './meetingServerError.ts'
import { servePage } from './pageHandler.ts'

/**
 * Serves the built page alone, for where keyserver and SFU are programs of their own behind the same
 * proxy.
 */
const command = new Command('conclave-meeting-page')
  .description('Serves the page of the meeting example alone')
  .addOption(hostOption())
  .addOption(portOption())
  .allowExcessArguments(false)
  .parse()

try {
  const address = command.opts<Pick<Configuration, 'host' | 'port'>>()
  const httpServer = createServer(servePage(fileURLToPath(new URL('./page', import.meta.url))))
  const port = await listen(httpServer, address)
  process.stdout.write(`The page is at ${localUrl(address.host, port)}\n`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      httpServer.close()
      httpServer.closeAllConnections()
    })
  }
} catch (error) {
  if (!(error instanceof MeetingServerError)) throw error
  process.stderr.write(`${error.message} (${error.code})\n${error.remedy ?? ''}\n`)
  process.exitCode = 1
}
