import type {
  DtlsParameters,
  IceCandidate,
  IceParameters,
  MediaKind,
  RtpCapabilities,
  RtpParameters,
} from './rtp.ts'
import type { MediaSource } from './source.ts'

/**
 * The contract of clients and the SFU: socket.io events on one namespace. The same connection
 * carries the delivery protocol on its own namespace, which the SFU relays to and from the
 * keyserver without reading it.
 */
export const mediaNamespace = '/media'

/**
 * The one event on the relayed namespace that is not the keyserver's: why the SFU is about to
 * disconnect it, as a `RelayClosed`.
 */
export const relayClosedEvent = 'relay-closed'

export type RelayClosedCode =
  | 'upstream-unavailable'
  | 'upstream-disconnected'
  | 'relay-overloaded'
  | 'server-closing'

export interface RelayClosed {
  readonly code: RelayClosedCode
  readonly message: string
}

/** Why the SFU refused a request. */
export type MediaRefusalCode =
  | 'request-malformed'
  | 'request-unknown'
  | 'rate-limited'
  | 'token-wrong-meeting'
  | 'token-grant-missing'
  | 'already-joined'
  | 'not-joined'
  | 'too-many-rooms'
  | 'room-full'
  | 'room-closed'
  | 'no-worker'
  | 'transport-limit'
  | 'transport-not-found'
  | 'transport-already-connected'
  | 'producer-limit'
  | 'producer-not-found'
  | 'source-in-use'
  | 'unsupported-codec'
  | 'consumer-limit'
  | 'consumer-not-found'
  | 'cannot-consume'
  | 'media-failed'

export interface MediaRefusal {
  readonly ok: false
  readonly code: MediaRefusalCode
  readonly message: string
}

export type TransportDirection = 'send' | 'recv'

export interface JoinRequest {
  /** Needed when the token is for every meeting; must otherwise be the token's meeting. */
  readonly meeting?: string
}

export interface Joined {
  readonly peerId: string
  readonly routerRtpCapabilities: RtpCapabilities
  /** Who sends what at this moment; later producers come as `newProducer`. */
  readonly producers: readonly ProducerInfo[]
}

/** A producer as the SFU announces it. All of it is the SFU's or the sender's claim. */
export interface ProducerInfo {
  readonly producerId: string
  readonly peerId: string
  readonly kind: MediaKind
  readonly source: MediaSource
  /**
   * The sender's leaf index in the MLS group, as it says itself. It only selects the keys to try:
   * frames that do not authenticate under this leaf are dropped.
   */
  readonly leaf: number
  readonly paused: boolean
}

export interface TransportParameters {
  readonly transportId: string
  readonly iceParameters: IceParameters
  readonly iceCandidates: IceCandidate[]
  readonly dtlsParameters: DtlsParameters
}

export interface ProduceRequest {
  readonly transportId: string
  readonly kind: MediaKind
  readonly rtpParameters: RtpParameters
  readonly source: MediaSource
  readonly leaf: number
}

export interface ConsumeRequest {
  readonly transportId: string
  readonly producerId: string
  readonly rtpCapabilities: RtpCapabilities
}

/** A consumer starts paused; `resumeConsumer` when the receiving side is ready to decrypt. */
export interface ConsumerParameters {
  readonly consumerId: string
  readonly producerId: string
  readonly kind: MediaKind
  readonly rtpParameters: RtpParameters
}

/** Every request is answered by its acknowledgement; a refused one has changed nothing. */
export interface MediaRequests {
  join: { request: JoinRequest; reply: Joined }
  /** A peer has one transport for each direction. */
  createTransport: {
    request: { readonly direction: TransportDirection }
    reply: TransportParameters
  }
  connectTransport: {
    request: { readonly transportId: string; readonly dtlsParameters: DtlsParameters }
    reply: object
  }
  produce: { request: ProduceRequest; reply: { readonly producerId: string } }
  pauseProducer: { request: { readonly producerId: string }; reply: object }
  resumeProducer: { request: { readonly producerId: string }; reply: object }
  closeProducer: { request: { readonly producerId: string }; reply: object }
  consume: { request: ConsumeRequest; reply: ConsumerParameters }
  pauseConsumer: { request: { readonly consumerId: string }; reply: object }
  resumeConsumer: { request: { readonly consumerId: string }; reply: object }
  requestKeyFrame: { request: { readonly consumerId: string }; reply: object }
  closeConsumer: { request: { readonly consumerId: string }; reply: object }
  leave: { request: object; reply: object }
}

export type MediaRequestName = keyof MediaRequests
export type MediaRequest<Name extends MediaRequestName> = MediaRequests[Name]['request']
export type MediaResult<Name extends MediaRequestName> = MediaRequests[Name]['reply']
export type MediaReply<Name extends MediaRequestName> =
  | ({ readonly ok: true } & MediaResult<Name>)
  | MediaRefusal

/** socket.io event maps. */
export type MediaClientToServerEvents = {
  [Name in MediaRequestName]: (
    request: MediaRequest<Name>,
    acknowledge: (reply: MediaReply<Name>) => void,
  ) => void
}

export interface RoomClosed {
  readonly code: 'worker-died' | 'server-closing' | 'join-timeout'
}

export interface TransportClosed {
  readonly transportId: string
  readonly code: 'ice-disconnected' | 'dtls-failed' | 'dtls-closed'
}

export interface MediaServerToClientEvents {
  newProducer: (producer: ProducerInfo) => void
  producerClosed: (event: { readonly producerId: string }) => void
  producerPaused: (event: { readonly producerId: string }) => void
  producerResumed: (event: { readonly producerId: string }) => void
  peerLeft: (event: { readonly peerId: string }) => void
  transportClosed: (event: TransportClosed) => void
  roomClosed: (event: RoomClosed) => void
}
