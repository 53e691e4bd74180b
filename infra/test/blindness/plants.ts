import { deliveryNamespace } from '@conclave/core/delivery'
import { createClient } from 'redis'
import { Manager, type Socket } from 'socket.io-client'
import { connectServer } from '../../../client-sdk/src/edge/serverConnection.ts'
import { eventually } from '../../../keyserver/test/support/eventually.ts'
import { enterRoom } from './members.ts'
import { type ObservedServers, type Place, places } from './observedServers.ts'
import type { RecordingProxy } from './recordingProxy.ts'
import type { RtpPath } from './rtpPath.ts'
import { inForm, type SecretForm, secretForms } from './secretForms.ts'
import type { RecordedSecret } from './secretRecorder.ts'
import type { ServerProcess } from './serverProcess.ts'

export interface Plant {
  readonly place: Place
  readonly form: SecretForm
  readonly secret: RecordedSecret
}

/** Another secret for each place and form, from all over those that there are. */
export function choosePlants(secrets: readonly RecordedSecret[]): Plant[] {
  const kinds = places.flatMap((place) => secretForms.map((form) => ({ place, form })))
  const long = secrets.filter(({ bytes }) => bytes.length >= 32)
  const step = Math.floor(long.length / kinds.length)
  if (step === 0) throw new Error(`${long.length} secrets for ${kinds.length} plants`)
  return kinds.map((kind, index) => ({ ...kind, secret: long[index * step] as RecordedSecret }))
}

/** Puts each where it would be if a client or a server had leaked it. */
export async function plantAll(
  servers: ObservedServers,
  media: RtpPath,
  plants: readonly Plant[],
  token: string,
): Promise<void> {
  const { keyserver, sfu, toKeyserver, toSfu } = servers
  const at = (place: Place) => bytesFor(plants.filter((plant) => plant.place === place))

  await keyserver.order({ order: 'hold', value: at('keyserver memory') })
  await keyserver.order({ order: 'hold', value: at('keyserver heap').toString('latin1') })
  await keyserver.order({ order: 'log', bytes: at('keyserver log') })
  await sfu.order({ order: 'hold', value: at('SFU memory') })
  await sfu.order({ order: 'hold', value: at('SFU heap').toString('latin1') })
  await sfu.order({ order: 'log', bytes: at('SFU log') })
  const leaveRoom = await enterRoom(connectServer(toSfu.url), token)
  await media.reopen(sfu)
  await media.carry(at('SFU media'))
  // Behind what smaller packets overwrite in the worker's buffer.
  await media.carry(Buffer.concat([Buffer.alloc(600), at('mediasoup worker memory')]))
  leaveRoom()
  await setInRedis(servers.redis.url, at('append-only file'))

  await say(toKeyserver, token, at('keyserver socket, from clients'))
  await say(toSfu, token, at('SFU socket, from clients'))
  await beTold(keyserver, toKeyserver, token, at('keyserver socket, to clients'))
  await beTold(sfu, toSfu, token, at('SFU socket, to clients'))
}

function bytesFor(plants: readonly Plant[]): Buffer {
  return Buffer.concat(
    plants.flatMap(({ form, secret }, index) => [
      inForm(form, secret.bytes, index % 3),
      Buffer.from('\n'),
    ]),
  )
}

/** A client sends it, as an event's argument. */
async function say(proxy: RecordingProxy, token: string, bytes: Buffer): Promise<void> {
  await withClient(proxy, token, async (socket) => {
    socket.emit('secret', bytes)
    await eventually('a client to send', () => includes(proxy.fromClients, bytes))
  })
}

async function beTold(
  server: ServerProcess,
  proxy: RecordingProxy,
  token: string,
  bytes: Buffer,
): Promise<void> {
  await withClient(proxy, token, async () => {
    await server.order({ order: 'tell', bytes })
    await eventually('a server to send', () => includes(proxy.toClients, bytes))
  })
}

async function withClient(
  proxy: RecordingProxy,
  token: string,
  use: (socket: Socket) => Promise<void>,
): Promise<void> {
  const manager = new Manager(proxy.url, { transports: ['websocket'], reconnection: false })
  const socket = manager.socket(deliveryNamespace, { auth: { token } })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('connect_error', reject)
    })
    await use(socket)
  } finally {
    manager._close()
  }
}

function includes(texts: readonly Buffer[], bytes: Buffer): boolean {
  return texts.some((text) => text.includes(bytes))
}

async function setInRedis(url: string, bytes: Buffer): Promise<void> {
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  await client.set('secret', bytes)
  client.destroy()
}
