import type {
  DtlsParameters,
  IceCandidate,
  IceParameters,
  MediaKind,
  RtpCapabilities,
  RtpParameters,
} from './rtp.ts'
import type { MediaSource } from './source.ts'

/** The SFU's socket.io namespaces on one connection. */
export const MEDIA_NAMESPACE = '/media'

/** Here the SFU relays the delivery protocol, unread, to and from the keyserver. */
export const RELAY_NAMESPACE = '/delivery'

/**
 * The one event of the relay that is not the keyserver's: why the relay is about to disconnect the
 * client, as a `RelayClosed`.
 */
export const RELAY_CLOSED_EVENT = 'relay-closed'

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
  | 'bad-request'
  | 'unknown-request'
  | 'too-many-requests'
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

/** Every request is acknowledged with one of these. */
export type Ack<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly code: MediaRefusalCode; readonly message: string }

export type Reply<Value> = (ack: Ack<Value>) => void

export type TransportDirection = 'send' | 'recv'

/** A request that succeeded and has nothing to say. */
export type Done = Record<string, never>

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

export interface MediaClientToServerEvents {
  join: (request: JoinRequest, reply: Reply<Joined>) => void
  createTransport: (
    request: { readonly direction: TransportDirection },
    reply: Reply<TransportParameters>,
  ) => void
  connectTransport: (
    request: { readonly transportId: string; readonly dtlsParameters: DtlsParameters },
    reply: Reply<Done>,
  ) => void
  produce: (request: ProduceRequest, reply: Reply<{ readonly producerId: string }>) => void
  pauseProducer: (request: { readonly producerId: string }, reply: Reply<Done>) => void
  resumeProducer: (request: { readonly producerId: string }, reply: Reply<Done>) => void
  closeProducer: (request: { readonly producerId: string }, reply: Reply<Done>) => void
  consume: (request: ConsumeRequest, reply: Reply<ConsumerParameters>) => void
  pauseConsumer: (request: { readonly consumerId: string }, reply: Reply<Done>) => void
  resumeConsumer: (request: { readonly consumerId: string }, reply: Reply<Done>) => void
  requestKeyFrame: (request: { readonly consumerId: string }, reply: Reply<Done>) => void
  closeConsumer: (request: { readonly consumerId: string }, reply: Reply<Done>) => void
  leave: (request: Done, reply: Reply<Done>) => void
}

export type MediaRequestName = keyof MediaClientToServerEvents

export type MediaRequest<Name extends MediaRequestName> = Parameters<
  MediaClientToServerEvents[Name]
>[0]

export type MediaReply<Name extends MediaRequestName> =
  Parameters<MediaClientToServerEvents[Name]>[1] extends Reply<infer Value> ? Value : never

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
