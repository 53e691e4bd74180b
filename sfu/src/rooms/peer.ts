import type {
  ConsumeRequest,
  ConsumerParameters,
  DtlsParameters,
  MediaSource,
  ProduceRequest,
  ProducerInfo,
  TransportClosed,
  TransportDirection,
  TransportParameters,
} from '@conclave/core/mediaSignalling'
import type { types } from 'mediasoup'
import type { SfuLimits } from '../limits.ts'
import { rtpParameters as rtpParametersSchema, toContract } from '../signalling/rtpSchemas.ts'
import { Refusal } from './refusal.ts'
import type { Notify, Room, RoomPeer } from './room.ts'

export interface PeerOptions {
  readonly id: string
  readonly identity: string
  readonly room: Room
  readonly limits: SfuLimits
  /** Sends an event to this peer's client. */
  readonly notify: Notify
}

interface PublishedProducer {
  readonly producer: types.Producer
  readonly source: MediaSource
  readonly leaf: number
}

const INITIAL_OUTGOING_BITRATE = 1_000_000

/**
 * A client in a room: at most one transport each way, one producer for each source, and consumers
 * of the others' producers. Methods refuse with a `Refusal` and then have changed nothing; calls
 * must not overlap.
 */
export class Peer implements RoomPeer {
  readonly id: string
  readonly identity: string
  readonly notify: Notify
  readonly #room: Room
  readonly #limits: SfuLimits
  readonly #transports = new Map<TransportDirection, types.WebRtcTransport>()
  readonly #connected = new Set<string>()
  readonly #producers = new Map<string, PublishedProducer>()
  readonly #consumers = new Map<string, types.Consumer>()
  #closed = false

  constructor(options: PeerOptions) {
    this.id = options.id
    this.identity = options.identity
    this.notify = options.notify
    this.#room = options.room
    this.#limits = options.limits
  }

  get closed(): boolean {
    return this.#closed
  }

  get room(): Room {
    return this.#room
  }

  producerInfos(): ProducerInfo[] {
    return [...this.#producers.values()].map((published) => this.#describe(published))
  }

  producerInfo(producerId: string): ProducerInfo | undefined {
    const published = this.#producers.get(producerId)
    return published && this.#describe(published)
  }

  /** @throws Refusal `transport-limit` */
  async createTransport(direction: TransportDirection): Promise<TransportParameters> {
    if (this.#transports.has(direction)) {
      throw new Refusal('transport-limit', `this peer has its ${direction} transport`)
    }
    const transport = await this.#room.router.createWebRtcTransport({
      webRtcServer: this.#room.webRtcServer,
      enableUdp: true,
      enableTcp: true,
      preferUdp: true,
      initialAvailableOutgoingBitrate: INITIAL_OUTGOING_BITRATE,
    })
    if (direction === 'send') await transport.setMaxIncomingBitrate(this.#limits.incomingBitrate)
    this.#stillHere(transport)
    this.#transports.set(direction, transport)
    this.#watch(direction, transport)
    return {
      transportId: transport.id,
      iceParameters: transport.iceParameters,
      iceCandidates: transport.iceCandidates,
      dtlsParameters: transport.dtlsParameters,
    }
  }

  /** @throws Refusal `transport-not-found` or `transport-already-connected` */
  async connectTransport(transportId: string, dtlsParameters: DtlsParameters): Promise<void> {
    const transport = [...this.#transports.values()].find(({ id }) => id === transportId)
    if (transport === undefined) throw new Refusal('transport-not-found', 'no such transport')
    if (this.#connected.has(transportId)) {
      throw new Refusal('transport-already-connected', 'the transport is already connected')
    }
    await transport.connect({ dtlsParameters })
    this.#connected.add(transportId)
  }

  /** @throws Refusal `transport-not-found`, `source-in-use` or `unsupported-codec` */
  async produce(request: ProduceRequest): Promise<string> {
    const { transportId, kind, rtpParameters, source, leaf } = request
    const transport = this.#transport('send', transportId)
    for (const published of this.#producers.values()) {
      if (published.source === source) {
        throw new Refusal('source-in-use', `this peer already sends its ${source}`)
      }
    }
    const producer = await transport.produce({
      kind,
      rtpParameters,
      keyFrameRequestDelay: this.#limits.keyFrameIntervalMs,
    })
    this.#stillHere(producer)
    const published: PublishedProducer = { producer, source, leaf }
    this.#producers.set(producer.id, published)
    producer.observer.once('close', () => {
      this.#producers.delete(producer.id)
      this.#room.announce(this, 'producerClosed', { producerId: producer.id })
    })
    this.#room.observer.emit('newproducer', {
      room: this.#room,
      peerId: this.id,
      source,
      producer,
    })
    this.#room.announce(this, 'newProducer', this.#describe(published))
    return producer.id
  }

  async pauseProducer(producerId: string): Promise<void> {
    await this.#producer(producerId).pause()
    this.#room.announce(this, 'producerPaused', { producerId })
  }

  async resumeProducer(producerId: string): Promise<void> {
    await this.#producer(producerId).resume()
    this.#room.announce(this, 'producerResumed', { producerId })
  }

  closeProducer(producerId: string): void {
    this.#producer(producerId).close()
  }

  /**
   * @throws Refusal `transport-not-found`, `consumer-limit`, `producer-not-found` or
   *   `cannot-consume`
   */
  async consume(request: ConsumeRequest): Promise<ConsumerParameters> {
    const { transportId, producerId, rtpCapabilities } = request
    const transport = this.#transport('recv', transportId)
    if (this.#consumers.size >= this.#limits.consumersPerPeer) {
      throw new Refusal('consumer-limit', 'this peer has as many consumers as it may have')
    }
    if (this.#room.findProducer(producerId, this) === undefined) {
      throw new Refusal('producer-not-found', 'no other peer in the room has this producer')
    }
    if (!this.#room.router.canConsume({ producerId, rtpCapabilities })) {
      throw new Refusal('cannot-consume', 'the client cannot receive what this producer sends')
    }
    const consumer = await transport.consume({ producerId, rtpCapabilities, paused: true })
    this.#stillHere(consumer)
    this.#consumers.set(consumer.id, consumer)
    consumer.observer.once('close', () => this.#consumers.delete(consumer.id))
    this.#room.observer.emit('newconsumer', { room: this.#room, peerId: this.id, consumer })
    return {
      consumerId: consumer.id,
      producerId,
      kind: consumer.kind,
      rtpParameters: toContract(rtpParametersSchema, consumer.rtpParameters),
    }
  }

  async pauseConsumer(consumerId: string): Promise<void> {
    await this.#consumer(consumerId).pause()
  }

  async resumeConsumer(consumerId: string): Promise<void> {
    await this.#consumer(consumerId).resume()
  }

  async requestKeyFrame(consumerId: string): Promise<void> {
    await this.#consumer(consumerId).requestKeyFrame()
  }

  closeConsumer(consumerId: string): void {
    this.#consumer(consumerId).close()
  }

  /** Closes its transports with all they carry and leaves the room. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const transport of this.#transports.values()) transport.close()
    this.#transports.clear()
    this.#room.remove(this)
  }

  #transport(direction: TransportDirection, transportId: string): types.WebRtcTransport {
    const transport = this.#transports.get(direction)
    if (transport?.id !== transportId) {
      throw new Refusal('transport-not-found', `no such ${direction} transport`)
    }
    return transport
  }

  #producer(producerId: string): types.Producer {
    const published = this.#producers.get(producerId)
    if (published === undefined) throw new Refusal('producer-not-found', 'no such producer')
    return published.producer
  }

  #consumer(consumerId: string): types.Consumer {
    const consumer = this.#consumers.get(consumerId)
    if (consumer === undefined) throw new Refusal('consumer-not-found', 'no such consumer')
    return consumer
  }

  #describe({ producer, source, leaf }: PublishedProducer): ProducerInfo {
    const { id: producerId, kind, paused } = producer
    return { producerId, peerId: this.id, kind, source, leaf, paused }
  }

  /** The client may have gone while mediasoup was making something for it. */
  #stillHere(made: { close(): void }): void {
    if (!this.#closed) return
    made.close()
    throw new Refusal('not-joined', 'the peer has left the room')
  }

  #watch(direction: TransportDirection, transport: types.WebRtcTransport): void {
    const lost = (code: TransportClosed['code']) => {
      if (transport.closed) return
      this.#transports.delete(direction)
      this.#connected.delete(transport.id)
      transport.close()
      this.notify('transportClosed', { transportId: transport.id, code })
    }
    transport.on('icestatechange', (state) => {
      if (state === 'disconnected') lost('ice-disconnected')
    })
    transport.on('dtlsstatechange', (state) => {
      if (state === 'failed') lost('dtls-failed')
      if (state === 'closed') lost('dtls-closed')
    })
  }
}
