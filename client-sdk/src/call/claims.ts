import {
  type ConsumerParameters,
  type Joined,
  mediaKindOf,
  mediaSources,
  type ProducerInfo,
  type RoomClosed,
} from '@conclave/core/mediaSignalling'

/**
 * Reading what the SFU claims. It is not trusted, so nothing is used before its shape has been
 * checked; RTP, ICE and DTLS parameters are checked by mediasoup-client.
 */

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 64
}

export function readId(payload: unknown, name: 'producerId' | 'transportId'): string | undefined {
  const id = isRecord(payload) ? payload[name] : undefined
  return isId(id) ? id : undefined
}

export function readProducer(payload: unknown): ProducerInfo | undefined {
  if (!isRecord(payload)) return undefined
  const { producerId, peerId, leaf, paused } = payload
  const source = mediaSources.find((known) => known === payload['source'])
  if (!isId(producerId) || !isId(peerId) || source === undefined) return undefined
  const kind = mediaKindOf(source)
  if (payload['kind'] !== kind || typeof paused !== 'boolean') return undefined
  if (typeof leaf !== 'number' || !Number.isSafeInteger(leaf) || leaf < 0) return undefined
  return { producerId, peerId, kind, source, leaf, paused }
}

/** The room's producers; those that are malformed are left out. */
export function readJoined(joined: Joined):
  | {
      readonly routerRtpCapabilities: Joined['routerRtpCapabilities']
      readonly producers: readonly ProducerInfo[]
    }
  | undefined {
  const { routerRtpCapabilities, producers }: Record<keyof Joined, unknown> = joined
  if (!isRecord(routerRtpCapabilities) || !Array.isArray(producers)) return undefined
  return {
    routerRtpCapabilities,
    producers: producers.map(readProducer).filter((producer) => producer !== undefined),
  }
}

/** Whether these are the parameters of a consumer of that producer. */
export function isConsumerOf(
  { producerId, kind }: ProducerInfo,
  parameters: ConsumerParameters,
): boolean {
  const claimed: Record<keyof ConsumerParameters, unknown> = parameters
  return (
    isId(claimed.consumerId) &&
    claimed.producerId === producerId &&
    claimed.kind === kind &&
    isRecord(claimed.rtpParameters)
  )
}

const roomClosedCodes: readonly RoomClosed['code'][] = [
  'worker-died',
  'server-closing',
  'join-timeout',
]

export function readRoomClosed(payload: unknown): RoomClosed['code'] {
  const code = isRecord(payload) ? payload['code'] : undefined
  return roomClosedCodes.find((known) => known === code) ?? 'server-closing'
}
