import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Access, resolveAccess } from '@conclave/core/access'
import { webCrypto } from '@conclave/core/crypto/secret'
import {
  createKeyserver,
  generateRemovalSigner,
  type Keyserver,
  memoryStore,
  systemClock,
  systemRandom,
} from '@conclave/keyserver'
import { pino } from 'pino'
import { type JoinOptions, SecureMeeting } from '../../src/index.ts'

export interface TestServer {
  readonly url: string
  tokenFor(identity: string, meeting?: string): Promise<string>
  /** Joins as `identity`; what is left out has the values that a plain test wants. */
  join(identity: string, options?: Partial<JoinOptions>): Promise<SecureMeeting>
  /** Leaves every meeting that was joined here and closes the servers. */
  close(): Promise<void>
}

export const meetingId = 'standup'

/** A real keyserver with the in-memory store on a free port of this machine. */
export async function startKeyserver(options: { graceMs?: number } = {}): Promise<TestServer> {
  const http: Server = createServer()
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as AddressInfo
  const access: Access = resolveAccess({
    host: '127.0.0.1',
    clock: systemClock,
    randomBytes: systemRandom,
  })
  if (access.mode !== 'development') throw new Error('no key is configured here')
  const crypto = webCrypto(globalThis.crypto.subtle, systemRandom)
  const keyserver: Keyserver = createKeyserver({
    httpServer: http,
    access,
    store: memoryStore(),
    removalSigner: await generateRemovalSigner(globalThis.crypto.subtle),
    crypto,
    clock: systemClock,
    random: systemRandom,
    logger: pino({ level: 'silent' }),
    ...options,
  })
  const joined: SecureMeeting[] = []
  const url = `http://127.0.0.1:${port}`
  const tokenFor = (identity: string, meeting = meetingId) => access.mint({ identity, meeting })
  return {
    url,
    tokenFor,
    join: async (identity, overrides = {}) => {
      const meeting = await SecureMeeting.join({
        keyserver: url,
        meetingId,
        token: await tokenFor(identity),
        identity: { id: identity },
        trust: { policy: 'open' },
        ...overrides,
      })
      joined.push(meeting)
      return meeting
    },
    close: async () => {
      await Promise.all(joined.map((meeting) => meeting.leave()))
      await keyserver.close()
      http.close()
    },
  }
}
