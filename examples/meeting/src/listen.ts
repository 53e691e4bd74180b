import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Configuration } from './configuration.ts'
import { MeetingServerError } from './meetingServerError.ts'

/**
 * @returns the port, also where 0 left the choice to the system
 * @throws MeetingServerError `port-in-use`, `listen-failed`
 */
export async function listen(
  httpServer: Server,
  { host, port }: Pick<Configuration, 'host' | 'port'>,
): Promise<number> {
  try {
    httpServer.listen(port, host)
    await once(httpServer, 'listening')
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
    if (code === 'EADDRINUSE') {
      throw new MeetingServerError('port-in-use', `port ${port} of ${host} is in use`, {
        cause,
        remedy:
          'Stop what listens there, or choose another with --port; --port 0 takes a free one.',
      })
    }
    throw new MeetingServerError(
      'listen-failed',
      `cannot listen on ${host}, port ${port}: ${code}`,
      {
        cause,
        remedy: 'Choose others with --host and --port.',
      },
    )
  }
  return (httpServer.address() as AddressInfo).port
}
