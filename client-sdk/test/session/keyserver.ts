import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Grants, resolveAccess } from '@conclave/core/access'
import { webPublicCrypto } from '@conclave/core/crypto/public'
import {
  createKeyserver,
  generateRemovalSigner,
  type KeyserverOptions,
  memoryStore,
  systemClock,
  systemRandom,
} from '@conclave/keyserver'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { type JoinOptions, SecureMeeting } from '../../src/index.ts'
import { Witness } from './support/witness.ts'

export interface TestServer {
  readonly url: string
  tokenFor(identity: string, meeting?: string, grants?: Grants): Promise<string>
  /** Joins as `identity`; what is left out has the values that a plain test wants. */
  join(identity: string, options?: Partial<JoinOptions>): Promise<SecureMeeting>
  /** What a meeting that was joined here has told since. */
  witness(meeting: SecureMeeting): Witness
  /** Members of the meeting's group, present or not, and connections. */
  readonly connections: number
  /** Another keyserver that takes this one's tokens and knows of its meetings what its store has. */
  successor(settings?: Settings): Promise<TestServer>
  /** Tells every client, and ends. */
  close(): Promise<void>
}

export const meetingId = 'standup'

type Access = Extract<Awaited<ReturnType<typeof resolveAccess>>, { mode: 'development' }>

type Settings = Partial<
  Pick<KeyserverOptions, 'graceMs' | 'store' | 'directoryStore' | 'removalSigner'>
>

/** A real keyserver on a free port, in memory where no store is given, for the duration of a test. */
export async function startKeyserver(
  options: Settings & { readonly access?: Access } = {},
): Promise<TestServer> {
  const { access = await developmentAccess(), ...settings } = options
  const httpServer = createServer()
  await new Promise<void>((resolve) => httpServer.listen(0, '127.0.0.1', resolve))
  const { port } = httpServer.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const keyserver = createKeyserver({
    httpServer,
    access,
    store: memoryStore(),
    removalSigner: await generateRemovalSigner(globalThis.crypto.subtle),
    crypto: webPublicCrypto(globalThis.crypto.subtle),
    clock: systemClock,
    random: systemRandom,
    logger: pino({ level: 'silent' }),
    ...settings,
  })
  const witnesses = new Map<SecureMeeting, Witness>()
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= keyserver.close()
    return closed
  }
  onTestFinished(async () => {
    await Promise.all([...witnesses.keys()].map((meeting) => meeting.leave()))
    await close()
    httpServer.close()
    httpServer.closeAllConnections()
  })
  const tokenFor: TestServer['tokenFor'] = (identity, meeting = meetingId, grants) =>
    access.mint({ identity, meeting, ...(grants && { grants }) })
  return {
    url,
    tokenFor,
    close,
    get connections() {
      return keyserver.health().connections
    },
    join: async (identity, overrides = {}) => {
      const meeting = await SecureMeeting.join({
        keyserver: url,
        meetingId,
        token: await tokenFor(identity),
        identity: { id: identity },
        trust: { policy: 'open' },
        ...overrides,
      })
      witnesses.set(meeting, new Witness(meeting))
      return meeting
    },
    witness: (meeting) => {
      const witness = witnesses.get(meeting)
      if (witness === undefined) throw new Error('joined elsewhere')
      return witness
    },
    successor: (changes = {}) => startKeyserver({ ...options, access, ...changes }),
  }
}

async function developmentAccess(): Promise<Access> {
  const access = await resolveAccess({
    host: '127.0.0.1',
    clock: systemClock,
    randomBytes: systemRandom,
  })
  if (access.mode !== 'development') throw new Error('no key is configured here')
  return access
}
