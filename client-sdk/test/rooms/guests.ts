import { toHex } from '@conclave/core/codec'
import { expect } from 'vitest'
import { connectServer } from '../../src/edge/serverConnection.ts'
import { socketTransport } from '../../src/edge/socketTransport.ts'
import {
  type DeliveryTransport,
  memorySessionStore,
  type RoomInvitation,
  type SecureMeeting,
  type TransportEvents,
} from '../../src/index.ts'
import type { EpochKeys, FrameCryptor } from '../../src/media/index.ts'
import type { TestServer } from '../session/keyserver.ts'
import { Census } from '../session/support/census.ts'
import { agree } from '../session/support/witness.ts'

/** For a loaded machine; nothing here takes that long. */
export const patience = { timeout: 60_000, interval: 10 }

export async function agreed(
  meetings: readonly SecureMeeting[],
  members: readonly string[],
): Promise<void> {
  await expect.poll(() => agree(meetings, members), patience).toBe(true)
}

/** Somebody in a meeting, with the rooms that they were called into. */
export class Guest {
  readonly meeting: SecureMeeting
  readonly invitations: RoomInvitation[] = []
  /** How the rooms ended that were entered. */
  readonly endings: string[] = []
  /** Places that were lost in rooms. */
  readonly losses: string[] = []
  /** Their ways to the keyserver, the meeting's first. */
  readonly lines: readonly Line[]
  /** The media keys that their meeting and rooms have had, in hexadecimal form. */
  readonly mediaKeys: ReadonlySet<string>
  /** The secrets of their meeting and rooms. */
  readonly census: Census
  /** What becomes of each way to the keyserver before it is used. */
  lay: (line: Line) => void = () => {}
  readonly #locks: readonly (() => void)[]

  private constructor(
    meeting: SecureMeeting,
    census: Census,
    lines: readonly Line[],
    mediaKeys: ReadonlySet<string>,
    locks: readonly (() => void)[],
  ) {
    this.#locks = locks
    this.meeting = meeting
    this.census = census
    this.lines = lines
    this.mediaKeys = mediaKeys
    meeting.on('roomOpened', (room) => this.invitations.push(room))
  }

  static async of(server: TestServer, identity: string, store = memorySessionStore()) {
    const token = await server.tokenFor(identity)
    let guest: Guest | undefined
    const lines: Line[] = []
    const mediaKeys = new Set<string>()
    const transport = () => {
      const line = new Line(socketTransport(connectServer(server.url), token))
      lines.push(line)
      guest?.lay(line)
      return line
    }
    const createFrameCryptor = () => new RecordingCryptor(mediaKeys)
    const census = new Census()
    const locks: (() => void)[] = []
    const hold = async (name: string) => {
      const release = await store.hold(name)
      if (release !== undefined) locks.push(release)
      return release
    }
    const meeting = await server.join(identity, {
      token,
      transport,
      createFrameCryptor,
      store: { ...store, hold },
      crypto: census.crypto,
    })
    guest = new Guest(meeting, census, lines, mediaKeys, locks)
    return guest
  }

  /** What is left when the process crashes: the store, with no locks on it. */
  crash(): void {
    for (const line of this.lines) line.cut()
    for (const release of this.#locks) release()
  }

  async called(name: string): Promise<RoomInvitation> {
    const find = () => this.invitations.find((room) => room.name === name)
    await expect.poll(find, patience).toBeDefined()
    return find() as RoomInvitation
  }

  async enter(name: string): Promise<SecureMeeting> {
    return this.watch(await this.meeting.enterRoom(await this.called(name)))
  }

  async open(name: string, ...called: readonly string[]): Promise<SecureMeeting> {
    const people = called.map((identity) => ({ identity }))
    return this.watch(await this.meeting.openRoom(name, people))
  }

  watch(room: SecureMeeting): SecureMeeting {
    room.on('ended', (reason, error) => this.endings.push([reason, error?.code].join(' ')))
    room.on('rejoining', ({ code }) => this.losses.push(code))
    return room
  }
}

export async function guests(server: TestServer, ...names: readonly string[]): Promise<Guest[]> {
  const all: Guest[] = []
  for (const name of names) all.push(await Guest.of(server, name))
  const meetings = all.map(({ meeting }) => meeting)
  await agreed(meetings, names)
  return all
}

/** A way to a real keyserver that a test can cut or hold up. */
export class Line implements DeliveryTransport {
  readonly #inner: DeliveryTransport
  #events: TransportEvents | undefined
  #held: (() => void)[] | undefined

  constructor(inner: DeliveryTransport) {
    this.#inner = inner
  }

  start(events: TransportEvents): void {
    this.#events = events
    this.#inner.start({
      ...events,
      connected: () => events.connected(),
      disconnected: () => events.disconnected(),
      rejected: (code, message) => events.rejected(code, message),
      notice: (name, notice) => {
        if (this.#held === undefined) events.notice(name, notice)
        else this.#held.push(() => events.notice(name, notice))
      },
    })
  }

  request: DeliveryTransport['request'] = (name, request) => this.#inner.request(name, request)

  close(): void {
    this.#inner.close()
  }

  /** The connection is gone for good, and this client does not know better than to wait for it. */
  cut(): void {
    this.#inner.close()
    this.#events?.disconnected()
  }

  /** The keyserver will not have this client any more. */
  reject(): void {
    this.#inner.close()
    this.#events?.rejected('token-expired', 'the access token has expired')
  }

  /** What comes waits until `release`. */
  hold(): void {
    this.#held ??= []
  }

  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const tell of held) tell()
  }
}

class RecordingCryptor implements FrameCryptor {
  readonly #keys: Set<string>

  constructor(keys: Set<string>) {
    this.#keys = keys
  }

  installEpoch({ baseKey }: EpochKeys): void {
    this.#keys.add(toHex(baseKey))
  }
  protect = () => Promise.resolve()
  unprotect = () => Promise.resolve()
  stats = () => Promise.resolve({ senders: [], receivers: [] })
  close(): void {}
}
