import type { Clock } from '@conclave/core'
import {
  type AccessClaims,
  AccessError,
  ANY_MEETING,
  requireGrant,
  requireMeeting,
} from '@conclave/core/access'
import type {
  Joined,
  JoinRequest,
  MediaRequest,
  MediaRequestName,
  MediaResult,
} from '@conclave/core/mediaSignalling'
import type { SfuLimits } from '../limits.ts'
import { Peer } from '../rooms/peer.ts'
import { Refusal } from '../rooms/refusal.ts'
import type { Notify } from '../rooms/room.ts'
import type { Rooms } from '../rooms/rooms.ts'
import { rtpCapabilities, toContract } from './rtpSchemas.ts'

export interface MediaSessionOptions {
  /** Names the peer to the others: unique and hard to guess. */
  readonly peerId: string
  readonly claims: AccessClaims
  readonly rooms: Rooms
  readonly limits: SfuLimits
  readonly clock: Clock
  readonly notify: Notify
  /** Ends the connection of a client that joins no room. */
  readonly onJoinTimeout: () => void
}

type Handlers = {
  [Name in MediaRequestName]: (
    request: MediaRequest<Name>,
  ) => Promise<MediaResult<Name>> | MediaResult<Name>
}

/** One client's signalling: who it is, and its peer while it is in a room. */
export class MediaSession {
  readonly #options: MediaSessionOptions
  readonly #handlers: Handlers
  readonly #cancelJoinTimer: () => void
  #peer: Peer | undefined
  #closed = false

  constructor(options: MediaSessionOptions) {
    this.#options = options
    this.#cancelJoinTimer = options.clock.setTimer(
      options.limits.joinTimeoutMs,
      options.onJoinTimeout,
    )
    this.#handlers = this.#createHandlers()
  }

  /** @throws Refusal or AccessError; whatever mediasoup throws for parameters that do not fit */
  async handle<Name extends MediaRequestName>(
    name: Name,
    request: MediaRequest<Name>,
  ): Promise<MediaResult<Name>> {
    return await this.#handlers[name](request)
  }

  close(): void {
    this.#closed = true
    this.#cancelJoinTimer()
    this.#peer?.close()
  }

  /** The session's peer, which the room may have closed meanwhile. */
  get #current(): Peer | undefined {
    return this.#peer?.closed === false ? this.#peer : undefined
  }

  #joined(): Peer {
    const peer = this.#current
    if (peer === undefined) throw new Refusal('not-joined', 'join a room first')
    return peer
  }

  async #join(request: JoinRequest): Promise<Joined> {
    const { claims, rooms, limits, notify } = this.#options
    if (this.#current !== undefined) {
      throw new Refusal('already-joined', 'this connection is already in a room')
    }
    const room = await rooms.open(meetingOf(claims, request))
    if (this.#closed) {
      room.closeIfEmpty()
      throw new Refusal('not-joined', 'the client has disconnected')
    }
    if (room.peerCount >= limits.peersPerRoom) {
      throw new Refusal('room-full', 'the room has as many peers as it may have')
    }
    this.#cancelJoinTimer()
    const peer = new Peer({
      id: this.#options.peerId,
      identity: claims.identity,
      room,
      limits,
      notify,
    })
    room.add(peer)
    this.#peer = peer
    return {
      peerId: peer.id,
      routerRtpCapabilities: toContract(rtpCapabilities, room.router.rtpCapabilities),
      producers: room.producersFor(peer),
    }
  }

  #createHandlers(): Handlers {
    const { claims } = this.#options
    const done = {}
    return {
      join: (request) => this.#join(request),
      createTransport: ({ direction }) => {
        requireGrant(claims, direction === 'send' ? 'publish' : 'subscribe')
        return this.#joined().createTransport(direction)
      },
      connectTransport: async ({ transportId, dtlsParameters }) => {
        await this.#joined().connectTransport(transportId, dtlsParameters)
        return done
      },
      produce: async (request) => ({ producerId: await this.#joined().produce(request) }),
      pauseProducer: async ({ producerId }) => {
        await this.#joined().pauseProducer(producerId)
        return done
      },
      resumeProducer: async ({ producerId }) => {
        await this.#joined().resumeProducer(producerId)
        return done
      },
      closeProducer: ({ producerId }) => {
        this.#joined().closeProducer(producerId)
        return done
      },
      consume: (request) => this.#joined().consume(request),
      pauseConsumer: async ({ consumerId }) => {
        await this.#joined().pauseConsumer(consumerId)
        return done
      },
      resumeConsumer: async ({ consumerId }) => {
        await this.#joined().resumeConsumer(consumerId)
        return done
      },
      requestKeyFrame: async ({ consumerId }) => {
        await this.#joined().requestKeyFrame(consumerId)
        return done
      },
      closeConsumer: ({ consumerId }) => {
        this.#joined().closeConsumer(consumerId)
        return done
      },
      leave: () => {
        this.#joined().close()
        return done
      },
    }
  }
}

/** @throws AccessError `token-wrong-meeting` */
function meetingOf(claims: AccessClaims, { meeting = claims.meeting }: JoinRequest): string {
  if (meeting === ANY_MEETING) {
    throw new AccessError('token-wrong-meeting', 'name the meeting: the token is for every one')
  }
  requireMeeting(claims, meeting)
  return meeting
}
