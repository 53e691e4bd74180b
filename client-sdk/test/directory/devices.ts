import type { KeyPackageStock, ReplyTo, RequestName, RequestOf } from '@conclave/core/delivery'
import { onTestFinished } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { connectServer } from '../../src/edge/serverConnection.ts'
import { socketTransport } from '../../src/edge/socketTransport.ts'
import {
  DeviceDirectory,
  type DeviceDirectoryOptions,
  type Invitation,
  memorySessionStore,
  type SessionStore,
} from '../../src/index.ts'
import type { TestServer } from '../session/keyserver.ts'

/** For a loaded machine; nothing here takes that long. */
export const patience = { timeout: 20_000, interval: 10 }

/** Somebody's device in the directory, on a clock that a test moves, and what it has told. */
export class TestDevice {
  readonly directory: DeviceDirectory
  readonly clock: VirtualClock
  readonly store: SessionStore
  readonly published: KeyPackageStock[] = []
  readonly invitations: Invitation[] = []
  readonly problems: string[] = []
  readonly ended: string[] = []

  constructor(directory: DeviceDirectory, clock: VirtualClock, store: SessionStore) {
    this.directory = directory
    this.clock = clock
    this.store = store
    directory.on('published', (stock) => this.published.push(stock))
    directory.on('invited', (invitation) => this.invitations.push(invitation))
    directory.on('problem', (error) => this.problems.push(describeError(error)))
    directory.on('ended', (error) => this.ended.push(describeError(error)))
  }
}

export async function openDevice(
  server: TestServer,
  identity: string,
  overrides: Partial<DeviceDirectoryOptions> & { readonly clock?: VirtualClock } = {},
): Promise<TestDevice> {
  const { clock = new VirtualClock(Date.now()), store = memorySessionStore() } = overrides
  const directory = DeviceDirectory.open({
    keyserver: server.url,
    token: await server.tokenFor(identity, '*'),
    identity: { id: identity },
    ...overrides,
    clock,
    store,
  })
  onTestFinished(() => directory.close())
  return new TestDevice(directory, clock, store)
}

function describeError({ code, detail }: { readonly code: string; readonly detail?: string }) {
  return detail === undefined ? code : `${code} ${detail}`
}

/** A bare connection, with the grant to invite. */
export async function connectAs(server: TestServer, identity: string) {
  const token = await server.tokenFor(identity, '*', { join: true, invite: true })
  const transport = socketTransport(connectServer(server.url), token)
  onTestFinished(() => transport.close())
  await new Promise<void>((resolve, reject) =>
    transport.start({
      connected: resolve,
      disconnected: () => {},
      rejected: (code) => reject(new Error(code)),
      notice: () => {},
    }),
  )
  return async <N extends RequestName>(name: N, request: RequestOf<N>) => {
    const reply = await transport.request(name, request)
    if (!reply.ok) throw new Error(`${name} was refused: ${reply.code}`)
    return reply as Extract<ReplyTo<N>, { ok: true }>
  }
}
