import type { ObservedRoom, Sfu } from '@conclave/sfu'
import { opusDepacketizer, parseRtp, vp8Depacketizer } from './rtp.ts'

/** A frame as the SFU has it. */
export interface TappedFrame {
  readonly from: string
  readonly source: string
  readonly data: Uint8Array<ArrayBuffer>
}

type DirectTransport = Awaited<ReturnType<ObservedRoom['router']['createDirectTransport']>>

/** What a malicious SFU could do: takes every frame of every producer out of it, in order. */
export class SfuTap {
  readonly #frames = new Map<string, TappedFrame[]>()
  readonly #identities = new Map<string, string>()
  readonly #transports = new Map<ObservedRoom['router'], Promise<DirectTransport>>()

  constructor({ observer }: Sfu) {
    observer.on('newpeer', ({ peerId, identity }) => this.#identities.set(peerId, identity))
    observer.on('newproducer', ({ room, peerId, source, producer }) => {
      const from = this.#identities.get(peerId) ?? peerId
      // A producer that closes at once has nothing to tap; one that is missed fails the test.
      this.#follow(room, producer.id, from, source).catch(() => {})
    })
  }

  /** The frames recorded so far in a meeting's room. */
  framesOf(meeting: string): readonly TappedFrame[] {
    return this.#frames.get(meeting) ?? []
  }

  async #follow(
    { meeting, router }: ObservedRoom,
    producerId: string,
    from: string,
    source: string,
  ): Promise<void> {
    const transport = this.#transports.get(router) ?? router.createDirectTransport()
    this.#transports.set(router, transport)
    const consumer = await (await transport).consume({
      producerId,
      rtpCapabilities: router.rtpCapabilities,
    })
    const frames = this.#frames.get(meeting) ?? []
    this.#frames.set(meeting, frames)
    const depacketizer = consumer.kind === 'video' ? vp8Depacketizer() : opusDepacketizer()
    consumer.on('rtp', (bytes) => {
      const packet = parseRtp(bytes)
      const frame = packet && depacketizer.push(packet)
      if (frame !== undefined) frames.push({ from, source, data: new Uint8Array(frame) })
    })
  }
}
