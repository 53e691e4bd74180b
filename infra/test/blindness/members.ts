import { type DeliveryTransport, SecureMeeting, systemClock } from '@conclave/client'
import type { Bytes } from '@conclave/core/codec'
import { utf8 } from '@conclave/core/codec'
import { mediaNamespace } from '@conclave/core/mediaSignalling'
import type { Group } from '@conclave/core/mls/group'
import {
  connectServer,
  type ServerConnection,
} from '../../../client-sdk/src/edge/serverConnection.ts'
import { socketTransport } from '../../../client-sdk/src/edge/socketTransport.ts'
import { MeetingSession } from '../../../client-sdk/src/session/meetingSession.ts'
import { memorySessionStore } from '../../../client-sdk/src/session/store.ts'
import { eventually } from '../../../keyserver/test/support/eventually.ts'
import { NodeFrameCryptor } from './nodeFrameCryptor.ts'
import type { SecretRecorder } from './secretRecorder.ts'

/** Where somebody joins, and who sees the secrets. */
export interface Way {
  readonly meetingId: string
  readonly recorder: SecretRecorder
  readonly token: string
  /** The keyserver's URL, or that of an SFU which relays to it. */
  readonly url: string
  readonly throughSfu: boolean
}

const trust = { policy: 'open' } as const

/** A way to the keyserver; through the SFU, its connection is in the meeting's room too. */
async function connect({ url, token, throughSfu }: Way) {
  const connection = connectServer(url)
  const leaveRoom = throughSfu ? await enterRoom(connection, token) : () => {}
  return { transport: socketTransport(connection, token), leaveRoom }
}

/** @returns what leaves it */
export async function enterRoom(connection: ServerConnection, token: string): Promise<() => void> {
  const media = connection.namespace(mediaNamespace, { token })
  media.connect()
  await media.emitWithAck('join', {})
  return () => media.disconnect()
}

/** A participant as an app has it, whose frames the test carries. */
export class Member {
  readonly meeting: SecureMeeting
  readonly #cryptor: NodeFrameCryptor
  readonly #leaveRoom: () => void

  private constructor(meeting: SecureMeeting, cryptor: NodeFrameCryptor, leaveRoom: () => void) {
    this.meeting = meeting
    this.#cryptor = cryptor
    this.#leaveRoom = leaveRoom
  }

  static async join(identity: string, way: Way): Promise<Member> {
    const { recorder, meetingId, token, url } = way
    const cryptor = new NodeFrameCryptor(recorder, systemClock)
    const { transport, leaveRoom } = await connect(way)
    const meeting = await SecureMeeting.join({
      keyserver: url,
      meetingId,
      token,
      identity: { id: identity },
      trust,
      crypto: recorder.crypto,
      random: recorder.random,
      transport: () => transport,
      createFrameCryptor: () => cryptor,
    })
    // The sender is a browser's; the cryptor is told of its source alone.
    await meeting.protect({} as RTCRtpSender, { source: 'microphone' })
    return new Member(meeting, cryptor, leaveRoom)
  }

  get epoch(): bigint {
    return this.meeting.view.epoch
  }

  get leaf(): number {
    return this.meeting.self.leaf
  }

  async leave(): Promise<void> {
    await this.meeting.leave()
    this.#leaveRoom()
  }

  seal(frame: Bytes): Promise<Bytes> {
    return this.#cryptor.seal(frame)
  }

  open(from: Member, frame: Bytes): Promise<Bytes> {
    return this.#cryptor.open(from.leaf, frame)
  }
}

/** A participant below the app's interface, where keys can be asked for that the SDK has no use for. */
export class BareMember {
  readonly #session: MeetingSession
  readonly #transport: DeliveryTransport

  private constructor(session: MeetingSession, transport: DeliveryTransport) {
    this.#session = session
    this.#transport = transport
  }

  static async join(identity: string, way: Way): Promise<BareMember> {
    const { recorder, meetingId } = way
    const { transport } = await connect(way)
    const { crypto, random } = recorder
    const environment = { clock: systemClock, random, crypto, store: memorySessionStore() }
    const session = new MeetingSession(
      { meetingId, identity: { id: identity }, trust, environment },
      transport,
      {
        epochBegan() {},
        continued() {},
        connectionChanged() {},
        progress() {},
        received() {},
        missed() {},
        lost() {},
        problem() {},
        ended() {},
      },
    )
    session.start()
    const member = new BareMember(session, transport)
    await eventually(`${identity} to be let in`, () => session.group !== undefined, 60_000)
    return member
  }

  /** Asks for a new epoch that changes nobody: an Update (RFC 9420 §12.1.2), for others to commit. */
  async rotate(): Promise<void> {
    const group = this.#group
    const message = await group.proposeUpdate()
    const reply = await this.#transport.request('propose', { groupId: group.groupId, message })
    if (!reply.ok) throw new Error(`no update: ${reply.code} ${reply.detail ?? ''}`)
  }

  /** Derives the keys of an application message (RFC 9420 §9), which nobody is sent. */
  async useSecretTree(): Promise<void> {
    await this.#group.protect(utf8('to nobody'))
  }

  get #group(): Group {
    const { group } = this.#session
    if (group === undefined) throw new Error('not in the meeting')
    return group
  }
}
