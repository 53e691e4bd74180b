import type { ConclaveError } from '@conclave/core'
import { defaultStore } from './edge/defaultStore.ts'
import { platformCrypto, systemClock, systemRandom } from './edge/platform.ts'
import { connectServer } from './edge/serverConnection.ts'
import { socketTransport } from './edge/socketTransport.ts'
import { IsolatedEmitter } from './isolatedEmitter.ts'
import type { JoinOptions } from './joinOptions.ts'
import {
  createWorkerFrameCryptor,
  type EpochKeys,
  type FrameCryptor,
  type MediaError,
} from './media/index.ts'
import { MeetingCalls } from './meetingCalls.ts'
import type { MeetingEvents } from './meetingEvents.ts'
import { MeetingMedia } from './meetingMedia.ts'
import { MeetingNews } from './meetingNews.ts'
import type { RoomBond } from './rooms/roomBond.ts'
import { type RoomMeeting, Rooms } from './rooms/rooms.ts'
import { suiteOf } from './session/enterMeeting.ts'
import { EpochListSignatures } from './session/listSignatures.ts'
import { MeetingKeys } from './session/meetingKeys.ts'
import { MeetingRoster } from './session/meetingRoster.ts'
import { MeetingSession } from './session/meetingSession.ts'
import type { DeliveryTransport } from './session/transport.ts'

/** What a meeting is made of. */
export interface MeetingParts<Room extends RoomMeeting> {
  readonly events: IsolatedEmitter<MeetingEvents>
  readonly session: MeetingSession
  readonly news: MeetingNews
  readonly roster: MeetingRoster
  readonly media: MeetingMedia
  readonly rooms: Rooms<Room>
  readonly calls: MeetingCalls
}

/**
 * Makes the parts of a meeting, none of which does anything before its session is started.
 * @param bond what the meeting branches off, where it is a breakout room
 * @param enterRoom enters a breakout room of this meeting
 * @throws AccessError `url-invalid`, `insecure-url`; SessionError `platform-unsupported`
 */
export function meetingParts<Room extends RoomMeeting>(
  options: JoinOptions,
  bond: RoomBond | undefined,
  enterRoom: (options: JoinOptions, bond: RoomBond) => Promise<Room>,
): MeetingParts<Room> {
  const { clock = systemClock, random = systemRandom, store = defaultStore() } = options
  const { meetingId, token, identity, trust, invitation, onProgress, onProblem } = options
  const isListing = options.authenticateMedia === true
  const crypto = options.crypto ?? platformCrypto(random)
  const events = new IsolatedEmitter<MeetingEvents>()
  const currentGroup = () => (news.over === undefined ? session.group : undefined)
  const directTransport = () => directTransportOf(options)

  const listSignatures = new EpochListSignatures(currentGroup)
  const keys = new MeetingKeys({
    store: () => session.store,
    createFrameCryptor: (): FrameCryptor => {
      const keyWorn = (epoch: bigint) => session.keyWorn(epoch)
      const keysLost = (error: MediaError, take: (keys: EpochKeys) => void) => {
        events.emit('problem', error)
        keys.renew(take).then(
          // What was received is forgotten with the keys: a new epoch ends what could be replayed.
          (epoch) => epoch !== undefined && session.keyWorn(epoch),
          (failure: ConclaveError) => events.emit('problem', failure),
        )
      }
      return (
        options.createFrameCryptor?.({ keyWorn, keysLost, isListing, listSignatures }) ??
        createWorkerFrameCryptor({
          clock,
          onFailure: (error) => events.emit('problem', error),
          onKeyWorn: keyWorn,
          onKeysLost: keysLost,
          isListing,
          listSignatures,
        })
      )
    },
    currentGroup,
  })
  const problem = (error: ConclaveError) => {
    if (news.over === undefined) events.emit('problem', error)
  }
  const roster = new MeetingRoster({ meetingId, crypto: suiteOf(crypto), clock, store })
  const media = new MeetingMedia({ clock, keys, roster, events })
  const rooms = new Rooms<Room>({
    meetingId,
    store: () => session.store,
    clock,
    random,
    ownIdentity: identity.id,
    group: currentGroup,
    announce: (description) => session.chat.send({ kind: 'room', description }),
    // As the device that is in the meeting.
    enter: (room) => enterRoom(roomOptions({ ...options, store, onProblem: problem }, room), room),
    problem,
  })
  const calls = new MeetingCalls({
    meetingId,
    token,
    media,
    roster,
    events,
    over: () => news.over,
    directTransport,
    switchTransport: (transport) => session.switchTransport(transport),
  })
  const news: MeetingNews = new MeetingNews({
    events,
    roster,
    keys,
    listSignatures,
    media,
    calls,
    rooms,
    onProgress,
    onProblem,
  })
  const environment = { clock, random, crypto, store }
  const session: MeetingSession = new MeetingSession(
    { meetingId, identity, trust, invitation, room: bond, environment },
    directTransport(),
    news,
  )
  return { events, session, news, roster, media, rooms, calls }
}

function directTransportOf({ transport, keyserver, token }: JoinOptions): DeliveryTransport {
  return transport?.() ?? socketTransport(connectServer(keyserver), token)
}

/** A room is entered as its parent was, but for what ties it to that. */
function roomOptions(
  { invitation: _invitation, onProgress: _onProgress, ...options }: JoinOptions,
  { meetingId }: RoomBond,
): JoinOptions {
  return { ...options, meetingId, trust: { policy: 'branch' } }
}
