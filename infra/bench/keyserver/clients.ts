import { type Bytes, decode, plainBytes } from '@conclave/core/codec'
import {
  deliveryNamespace,
  type LogEntry,
  protocolMinor,
  protocolVersion,
  type RequestName,
  type RequestOf,
  unpackEntries,
} from '@conclave/core/delivery'
import { ExternalSender } from '@conclave/core/wire'
import { io, type Socket } from 'socket.io-client'
import { expectDone } from '../benchError.ts'
import { type Person, signPresence } from './people.ts'
import type { Founding, Upload } from './preparedGroup.ts'

/** A connection to either server; it does nothing by itself. */
export async function connect(url: string, token = ''): Promise<Socket> {
  const socket = io(url, {
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    auth: { token },
  })
  await connected(socket)
  return socket
}

export function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve).once('connect_error', reject)
  })
}

export function namespaceOf(port: number): string {
  return `http://127.0.0.1:${port}${deliveryNamespace}`
}

/** One request of the delivery protocol, which has to be granted. */
export async function ask<N extends RequestName>(
  socket: Socket,
  name: N,
  request: RequestOf<N>,
): Promise<Readonly<Record<string, unknown>>> {
  const reply = await socket.emitWithAck(name, request)
  expectDone(reply.ok, `${name}: ${reply.code} ${reply.detail ?? ''} ${reply.message}`)
  return reply
}

/** Enters; what the keyserver signs removals with, and what `attach` is to sign. */
export async function enter(
  socket: Socket,
  meetingId: string,
): Promise<{ readonly externalSender: ExternalSender; readonly nonce: Bytes }> {
  const reply = await ask(socket, 'enter', {
    protocol: protocolVersion,
    minor: protocolMinor,
    meetingId,
  })
  const externalSender = decode(ExternalSender, bytesOf(reply['externalSender']))
  return { externalSender, nonce: bytesOf(reply['nonce']) }
}

/** Where a connection is at home. */
export interface Seat {
  readonly meetingId: string
  readonly groupId: Bytes
  readonly person: Person
  readonly leafIndex: number
}

/**
 * What a member does on a new connection: enters, takes up the log after `after`, attaches.
 * @param first what a founder does before that: creates the group, and commits
 */
export async function takeSeat(
  socket: Socket,
  { meetingId, groupId, person, leafIndex }: Seat,
  after: number,
  first?: { readonly create: Founding; readonly commits: readonly Upload[] },
): Promise<void> {
  const { nonce } = await enter(socket, meetingId)
  if (first !== undefined) await ask(socket, 'create', first.create)
  for (const upload of first?.commits ?? []) await ask(socket, 'commit', upload)
  await resume(socket, groupId, after)
  const signature = await signPresence(person.signer, leafIndex, { groupId, nonce })
  await ask(socket, 'attach', { groupId, leafIndex, signature })
}

/** Takes up the log, page by page, until its end; how many bytes each page had. */
export async function resume(
  socket: Socket,
  groupId: Bytes,
  after: number,
): Promise<{ readonly entries: readonly LogEntry[]; readonly pages: readonly number[] }> {
  const entries: LogEntry[] = []
  const pages: number[] = []
  for (;;) {
    const reply = await ask(socket, 'resume', { groupId, after: after + entries.length })
    const page = bytesOf(reply['entries'])
    entries.push(...unpackEntries(page))
    pages.push(page.length)
    if (after + entries.length === reply['head']) return { entries, pages }
  }
}

/** socket.io hands out Buffers in Node. */
function bytesOf(value: unknown): Bytes {
  if (!(value instanceof Uint8Array)) throw new TypeError('these are no bytes')
  return plainBytes(value)
}
