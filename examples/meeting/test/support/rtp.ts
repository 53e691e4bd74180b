/** An RTP packet (RFC 3550 §5.1) without its padding; `undefined` for what is none. */
export interface RtpPacket {
  readonly marker: boolean
  readonly sequenceNumber: number
  readonly timestamp: number
  readonly payload: Uint8Array
}

export function parseRtp(packet: Uint8Array): RtpPacket | undefined {
  if (packet.length < 12 || (packet[0] as number) >> 6 !== 2) return undefined
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  const first = view.getUint8(0)
  let start = 12 + 4 * (first & 0x0f)
  if ((first & 0x10) !== 0) start += 4 + 4 * view.getUint16(start + 2)
  const padding = (first & 0x20) === 0 ? 0 : (packet.at(-1) as number)
  return {
    marker: (view.getUint8(1) & 0x80) !== 0,
    sequenceNumber: view.getUint16(2),
    timestamp: view.getUint32(4),
    payload: packet.subarray(start, packet.length - padding),
  }
}

/** Puts the frames of one stream together again. */
export interface Depacketizer {
  /** @returns the frame that this packet completes */
  push(packet: RtpPacket): Uint8Array | undefined
}

/** RFC 7587: a packet's payload is a frame. */
export function opusDepacketizer(): Depacketizer {
  return { push: ({ payload }) => (payload.length === 0 ? undefined : payload.slice()) }
}

interface Vp8Part {
  readonly begins: boolean
  readonly ends: boolean
  readonly data: Uint8Array
}

/** Frames of which a packet has not come are forgotten after this many others. */
const maxPending = 64

/** RFC 7741: the packets of a frame share a timestamp; the marker is on the last. */
export function vp8Depacketizer(): Depacketizer {
  const pending = new Map<number, Map<number, Vp8Part>>()
  return {
    push({ marker, sequenceNumber, timestamp, payload }) {
      const descriptor = vp8Descriptor(payload)
      if (descriptor === undefined) return undefined
      const parts = pending.get(timestamp) ?? new Map<number, Vp8Part>()
      pending.set(timestamp, parts)
      const { length, begins } = descriptor
      parts.set(sequenceNumber, { begins, ends: marker, data: payload.subarray(length) })
      const frame = assemble(parts)
      if (frame !== undefined) pending.delete(timestamp)
      for (const old of [...pending.keys()].slice(0, -maxPending)) pending.delete(old)
      return frame
    },
  }
}

/** From the packet that begins a frame to the one that ends it, where none is missing. */
function assemble(parts: ReadonlyMap<number, Vp8Part>): Uint8Array | undefined {
  const first = [...parts].find(([, { begins }]) => begins)
  if (first === undefined) return undefined
  const data: Uint8Array[] = []
  for (let [sequenceNumber] = first; ; sequenceNumber = (sequenceNumber + 1) & 0xffff) {
    const part = parts.get(sequenceNumber)
    if (part === undefined) return undefined
    data.push(part.data)
    if (part.ends) return new Uint8Array(Buffer.concat(data))
  }
}

/** The VP8 payload descriptor (RFC 7741 §4.2); `begins` where S is set in partition 0. */
function vp8Descriptor(payload: Uint8Array): { length: number; begins: boolean } | undefined {
  const [first, extension] = payload
  if (first === undefined) return undefined
  const begins = (first & 0x17) === 0x10
  if ((first & 0x80) === 0) return { length: 1, begins }
  if (extension === undefined) return undefined
  let length = 2
  if ((extension & 0x80) !== 0) length += ((payload[length] ?? 0) & 0x80) === 0 ? 1 : 2
  if ((extension & 0x40) !== 0) length += 1
  if ((extension & 0x30) !== 0) length += 1
  return { length, begins }
}
