import type { ConclaveError } from '@conclave/core'
import { type Call, connectCall, type MediaProtection } from './call/index.ts'
import { connectServer, type TokenSource } from './edge/serverConnection.ts'
import { socketTransport } from './edge/socketTransport.ts'
import type { IsolatedEmitter } from './isolatedEmitter.ts'
import type { MeetingEvents } from './meetingEvents.ts'
import type { MeetingMedia } from './meetingMedia.ts'
import type { MeetingRoster } from './session/meetingRoster.ts'
import type { Participant } from './session/roster.ts'
import type { DeliveryTransport } from './session/transport.ts'

export interface ConnectMediaOptions {
  /** The SFU's URL; `https:` except on this machine. */
  readonly sfu: string
  /** Whether the SFU's connection carries the delivery protocol too; it does where not given. */
  readonly relayDelivery?: boolean
  /** STUN and TURN servers. */
  readonly iceServers?: readonly RTCIceServer[]
  /**
   * Sends audio at a constant bitrate, silence too, and without its level, so that neither sizes nor
   * headers tell who speaks. The SFU then knows of no active speakers. False where not given.
   */
  readonly concealSpeech?: boolean
}

export interface MeetingCallsOptions {
  readonly meetingId: string
  readonly token: TokenSource
  readonly media: Pick<MeetingMedia, 'protection' | 'setPaused'>
  readonly roster: Pick<MeetingRoster, 'current'>
  readonly events: Pick<IsolatedEmitter<MeetingEvents>, 'on' | 'off'>
  /** Why the meeting is over, once it is. */
  readonly over: () => ConclaveError | undefined
  /** Makes a way to the keyserver of its own. */
  readonly directTransport: () => DeliveryTransport
  /** Has the session go on over another way to the keyserver. */
  readonly switchTransport: (transport: DeliveryTransport) => void
}

/** The calls of one meeting on SFUs of Conclave's, each of which may carry its session too. */
export class MeetingCalls {
  readonly #options: MeetingCallsOptions
  readonly #open = new Set<Call>()

  constructor(options: MeetingCallsOptions) {
    this.#options = options
  }

  /** @throws CallError, AccessError, MediaError, SessionError `session-ended` */
  async connect({ sfu, relayDelivery = true, ...rest }: ConnectMediaOptions): Promise<Call> {
    const { meetingId, token, media, over, directTransport, switchTransport } = this.#options
    // The cryptor has to be there first: senders must have it from their first moment.
    const protection = await media.protection()
    const connection = connectServer(sfu)
    const call = await connectCall({
      ...rest,
      sfu: connection,
      token: typeof token === 'function' ? await token() : token,
      meeting: meetingId,
      protection: this.#protectionOf(protection),
    })
    const why = over()
    if (why !== undefined) {
      await call.close()
      throw why
    }
    this.#open.add(call)
    call.on('trackPaused', ({ receiver }) => media.setPaused(receiver, true))
    call.on('trackResumed', ({ receiver }) => media.setPaused(receiver, false))
    call.on('closed', () => {
      this.#open.delete(call)
      if (relayDelivery && over() === undefined) switchTransport(directTransport())
    })
    if (relayDelivery) switchTransport(socketTransport(connection, token))
    return call
  }

  close(): void {
    for (const call of this.#open) void call.close()
  }

  #protectionOf(
    protection: Pick<MediaProtection, 'connectionSettings' | 'protect' | 'unprotect'>,
  ): MediaProtection {
    const { roster, events } = this.#options
    return {
      // Media is protected from the first epoch on.
      ownLeaf: () => (roster.current.self as Participant).leaf,
      participantOf: (leaf) => roster.current.at(leaf),
      onRosterChanged: (listener) => {
        events.on('epochChanged', listener)
        return () => events.off('epochChanged', listener)
      },
      ...protection,
    }
  }
}
