import { pino } from 'pino'
import {
  type MeetingServer,
  type MeetingServerOptions,
  startMeetingServer,
} from '../../src/meetingServer.ts'

/** The demo's server on a free port of this machine, with a page of the test's choice. */
export function runMeetingServer(
  pageFolder: string,
  options: Partial<MeetingServerOptions> = {},
): Promise<MeetingServer> {
  return startMeetingServer({
    host: '127.0.0.1',
    port: 0,
    mediaAddress: undefined,
    mediaPorts: { min: 40_000, max: 49_999 },
    accessSecret: undefined,
    pageFolder,
    logger: pino({ level: 'silent' }),
    ...options,
  })
}
