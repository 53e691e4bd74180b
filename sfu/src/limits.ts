/** What clients may use of one SFU process. */
export interface SfuLimits {
  readonly connections: number
  readonly rooms: number
  readonly peersPerRoom: number
  readonly consumersPerPeer: number
  /** Bytes of one socket.io packet, its attachments included each for itself. */
  readonly payloadBytes: number
  /** Requests of one client, or acknowledgements of one relayed client, that are under way. */
  readonly pendingRequests: number
  /** Messages a second of one client and namespace, over time; ten times that at once. */
  readonly messagesPerSecond: number
  /** Relayed events that a slow client may leave unread. */
  readonly relayBacklog: number
  /** How long a connected client may take until it joins a room. */
  readonly joinTimeoutMs: number
  /** How long the keyserver may take to accept a connection or to acknowledge a request. */
  readonly upstreamTimeoutMs: number
  /** Bits a second that a client may send as media. */
  readonly incomingBitrate: number
  /** The least time between two key frames that receivers may have a sender make of one layer. */
  readonly keyFrameIntervalMs: number
}

/** A packet holds at most a commit with its Welcome and GroupInfo, 1 MiB each. */
export const defaultLimits: SfuLimits = {
  connections: 10_000,
  rooms: 1_000,
  peersPerRoom: 500,
  consumersPerPeer: 1_000,
  payloadBytes: 4 << 20,
  pendingRequests: 128,
  messagesPerSecond: 100,
  relayBacklog: 4_096,
  joinTimeoutMs: 30_000,
  upstreamTimeoutMs: 15_000,
  incomingBitrate: 10_000_000,
  keyFrameIntervalMs: 500,
}
