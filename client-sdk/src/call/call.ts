import { type MediaSource, mediaKindOf } from '@conclave/core/mediaSignalling'
import type { types } from 'mediasoup-client'
import { connectServer, type ServerConnection } from '../edge/serverConnection.ts'
import { IsolatedEmitter } from '../isolatedEmitter.ts'
import { CallError } from './callError.ts'
import type { CallEvents, RemoteTrack } from './callEvents.ts'
import { readId, readJoined, readProducer, readRoomClosed } from './claims.ts'
import type { MediaProtection } from './mediaProtection.ts'
import { MediaTransports } from './mediaTransports.ts'
import {
  announceProducer,
  type Publication,
  type PublishEncoding,
  PublishedTrack,
} from './publication.ts'
import { Signalling } from './signalling.ts'
import { Subscriptions } from './subscriptions.ts'

export interface CallOptions {
  /** The SFU's URL, or a connection that is shared with the delivery protocol. */
  readonly sfu: string | ServerConnection
  /** The access token that the app's backend minted for this user. */
  readonly token: string
  /** Needed when the token is for every meeting. */
  readonly meeting?: string
  readonly protection: MediaProtection
  /** STUN and TURN servers. */
  readonly iceServers?: readonly RTCIceServer[]
  /**
   * Sends audio at a constant bitrate, silence too, and without its level, so that neither sizes nor
   * headers tell who speaks. The SFU then knows of no active speakers. False where not given.
   */
  readonly concealSpeech?: boolean
  /** What speaks WebRTC, instead of mediasoup-client's handler for this browser. */
  readonly handlerFactory?: types.HandlerFactory
}

export interface PublishOptions {
  readonly source: MediaSource
  /**
   * As RTP names it, such as `video/AV1`; what the SFU names first where not given. Frames of every
   * codec that browser and SFU share here can be encrypted.
   */
  readonly codec?: string
  /**
   * One element for each simulcast layer, the smallest first; a single one may have a
   * `scalabilityMode`. All layers share one key and one run of counters.
   */
  readonly encodings?: readonly PublishEncoding[]
  /**
   * Whether Opus nearly stops sending while the track is silent (RFC 7587 §3.1.3). False where not
   * given, for whoever counts packets then sees who speaks; no matter where speech is concealed.
   */
  readonly dtx?: boolean
}

/** Media through an SFU, encrypted and decrypted by the meeting's session. */
export interface Call {
  /**
   * Sends a track. It resolves when the sender encrypts and the SFU has it; where it fails, nothing
   * of the track was sent. The track stays the caller's.
   *
   * @throws CallError `source-in-use`, `source-mismatch`, `codec-unavailable`, `layers-unavailable`,
   *   `call-closed`, `publish-failed`, `sfu-refused`, `sfu-unreachable`; MediaError of `protect`
   */
  publish(track: MediaStreamTrack, options: PublishOptions): Promise<Publication>
  on<Name extends keyof CallEvents>(name: Name, listener: CallEvents[Name]): this
  off<Name extends keyof CallEvents>(name: Name, listener: CallEvents[Name]): this
  /** The tracks that are being received. */
  readonly tracks: readonly RemoteTrack[]
  readonly closed: boolean
  /** Leaves the room. May be called twice. */
  close(): Promise<void>
}

/**
 * Joins the SFU's room of the meeting and receives what the others send. Tracks that are there
 * already come as `track` events after the promise has resolved.
 *
 * @throws AccessError `url-invalid` or `insecure-url`
 * @throws CallError `sfu-unreachable`, `sfu-refused`, `sfu-protocol-violated`,
 *   `browser-unsupported`, `no-common-codec`
 */
export async function connectCall(options: CallOptions): Promise<Call> {
  const { sfu, token, protection } = options
  const connection = typeof sfu === 'string' ? connectServer(sfu) : sfu
  const signalling = await Signalling.connect(connection, token)
  try {
    const call = new SfuCall(signalling, protection)
    await call.join(options)
    return call
  } catch (error) {
    signalling.close()
    throw error
  }
}

class SfuCall implements Call {
  readonly #signalling: Signalling
  readonly #protection: MediaProtection
  readonly #emitter = new IsolatedEmitter<CallEvents>()
  readonly #publications = new Map<MediaSource, PublishedTrack>()
  #transports: MediaTransports | undefined
  #subscriptions: Subscriptions | undefined
  #stopWatchingRoster: () => void = () => {}
  #closed = false

  constructor(signalling: Signalling, protection: MediaProtection) {
    this.#signalling = signalling
    this.#protection = protection
  }

  async join({
    meeting,
    iceServers,
    concealSpeech = false,
    handlerFactory,
  }: CallOptions): Promise<void> {
    const signalling = this.#signalling
    // Events between the answer to `join` and the end of this function are kept for afterwards.
    const early: { name: string; payload: unknown }[] = []
    let receive = (name: string, payload: unknown) => {
      early.push({ name, payload })
    }
    signalling.onEvent((name, payload) => receive(name, payload))
    signalling.onDisconnected(() => {
      // Why the room closed may have come just before, and wait with the early events.
      const closing = early.find(({ name }) => name === 'roomClosed')
      this.#end(closing === undefined ? 'connection-lost' : readRoomClosed(closing.payload))
    })
    const joined = readJoined(
      await signalling.request('join', meeting === undefined ? {} : { meeting }),
    )
    if (joined === undefined) {
      throw new CallError('sfu-protocol-violated', 'the SFU described no room')
    }
    const transports = await MediaTransports.create(
      joined.routerRtpCapabilities,
      {
        signalling,
        ...(iceServers === undefined ? {} : { iceServers }),
        concealSpeech,
        connectionSettings: this.#protection.connectionSettings,
        onFailed: () => this.#end('transport-failed'),
        announce: (transportId, produced) => announceProducer(signalling, transportId, produced),
      },
      handlerFactory,
    )
    const subscriptions = new Subscriptions({
      signalling,
      transports,
      protection: this.#protection,
      emitter: this.#emitter,
    })
    if (this.#closed) throw new CallError('sfu-unreachable', 'the connection was lost meanwhile')
    this.#transports = transports
    this.#subscriptions = subscriptions
    this.#stopWatchingRoster = this.#protection.onRosterChanged(() => this.#reviewRoster())
    // The caller listens once it has the call.
    setTimeout(() => {
      for (const producer of joined.producers) subscriptions.add(producer)
      receive = (name, payload) => this.#receive(name, payload)
      for (const { name, payload } of early) this.#receive(name, payload)
    })
  }

  get tracks(): readonly RemoteTrack[] {
    return this.#subscriptions?.tracks ?? []
  }

  get closed(): boolean {
    return this.#closed
  }

  async publish(track: MediaStreamTrack, options: PublishOptions): Promise<Publication> {
    const { source } = options
    if (this.#closed || this.#transports === undefined) {
      throw new CallError('call-closed', 'the call is over')
    }
    if (track.kind !== mediaKindOf(source)) {
      throw new CallError('source-mismatch', `the ${source} is no ${track.kind}`)
    }
    if (this.#publications.has(source)) {
      throw new CallError('source-in-use', `the ${source} is published already`, {
        remedy: 'replace the track of its publication, or close it',
      })
    }
    const publication = new PublishedTrack({
      ...options,
      track,
      transports: this.#transports,
      signalling: this.#signalling,
      protection: this.#protection,
      onClosed: () => {
        this.#publications.delete(source)
        this.#emitter.emit('publicationEnded', { source })
      },
    })
    this.#publications.set(source, publication)
    try {
      await publication.start()
    } catch (error) {
      this.#publications.delete(source)
      throw error
    }
    return publication
  }

  on<Name extends keyof CallEvents>(name: Name, listener: CallEvents[Name]): this {
    this.#emitter.on(name, listener)
    return this
  }

  off<Name extends keyof CallEvents>(name: Name, listener: CallEvents[Name]): this {
    this.#emitter.off(name, listener)
    return this
  }

  async close(): Promise<void> {
    if (this.#closed) return
    const leaving = this.#signalling.request('leave', {}).catch(() => {})
    this.#end('left', leaving)
    await leaving
  }

  #receive(name: string, payload: unknown): void {
    if (this.#closed) return
    const producerId = readId(payload, 'producerId')
    switch (name) {
      case 'newProducer': {
        const producer = readProducer(payload)
        if (producer !== undefined) this.#subscriptions?.add(producer)
        break
      }
      case 'producerClosed':
        if (producerId !== undefined) this.#subscriptions?.remove(producerId)
        break
      case 'producerPaused':
      case 'producerResumed':
        if (producerId !== undefined) {
          this.#subscriptions?.setPaused(producerId, name === 'producerPaused')
        }
        break
      case 'transportClosed':
        this.#end('transport-failed')
        break
      case 'roomClosed':
        this.#end(readRoomClosed(payload))
        break
    }
  }

  #reviewRoster(): void {
    if (this.#closed) return
    this.#subscriptions?.reviewRoster()
    const ownLeaf = this.#protection.ownLeaf()
    for (const publication of this.#publications.values()) {
      if (publication.leaf < 0 || publication.leaf === ownLeaf) continue
      publication.restart().catch((error: Error) => {
        this.#publications.delete(publication.source)
        this.#emitter.emit('publicationEnded', { source: publication.source, error })
      })
    }
  }

  #end(
    code: Parameters<CallEvents['closed']>[0]['code'],
    leaving: Promise<unknown> = Promise.resolve(),
  ): void {
    if (this.#closed) return
    this.#closed = true
    this.#stopWatchingRoster()
    this.#transports?.close()
    this.#subscriptions?.close()
    this.#publications.clear()
    void leaving.then(() => this.#signalling.close())
    this.#emitter.emit('closed', { code })
  }
}
