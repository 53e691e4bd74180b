import type {
  MediaServerToClientEvents,
  ProducerInfo,
  RoomClosed,
} from '@conclave/core/mediaSignalling'
import type { types } from 'mediasoup'
import type { SfuObserver } from '../observer.ts'

export type Notify = <Name extends keyof MediaServerToClientEvents>(
  name: Name,
  ...args: Parameters<MediaServerToClientEvents[Name]>
) => void

/** A peer as its room knows it. */
export interface RoomPeer {
  readonly id: string
  readonly identity: string
  /** Sends an event to this peer's client. */
  readonly notify: Notify
  producerInfos(): ProducerInfo[]
  producerInfo(producerId: string): ProducerInfo | undefined
  close(): void
}

export interface RoomOptions {
  readonly meeting: string
  readonly router: types.Router
  readonly webRtcServer: types.WebRtcServer
  readonly observer: SfuObserver
}

/** A meeting's media: one router and the peers that send and receive through it. */
export class Room {
  readonly meeting: string
  readonly router: types.Router
  readonly webRtcServer: types.WebRtcServer
  readonly observer: SfuObserver
  readonly #peers = new Map<string, RoomPeer>()
  readonly #onClosed: () => void
  #closed = false

  /** @param onClosed runs once, whatever closed the room */
  constructor(options: RoomOptions, onClosed: () => void) {
    this.meeting = options.meeting
    this.router = options.router
    this.webRtcServer = options.webRtcServer
    this.observer = options.observer
    this.#onClosed = onClosed
    this.router.on('workerclose', () => this.close('worker-died'))
    this.observer.emit('newroom', this)
  }

  get closed(): boolean {
    return this.#closed
  }

  get peerCount(): number {
    return this.#peers.size
  }

  add(peer: RoomPeer): void {
    this.#peers.set(peer.id, peer)
    this.observer.emit('newpeer', { room: this, peerId: peer.id, identity: peer.identity })
  }

  /** Tells the others that a peer is gone; the last one closes the room. */
  remove(peer: RoomPeer): void {
    if (!this.#peers.delete(peer.id)) return
    this.observer.emit('peerclosed', { room: this, peerId: peer.id })
    this.announce(peer, 'peerLeft', { peerId: peer.id })
    this.closeIfEmpty()
  }

  /** The producers of everyone but `peer`. */
  producersFor(peer: RoomPeer): ProducerInfo[] {
    return [...this.#peers.values()]
      .filter((other) => other !== peer)
      .flatMap((other) => other.producerInfos())
  }

  /** The announced facts of a producer of another peer than `peer`. */
  findProducer(producerId: string, peer: RoomPeer): ProducerInfo | undefined {
    for (const other of this.#peers.values()) {
      if (other === peer) continue
      const info = other.producerInfo(producerId)
      if (info !== undefined) return info
    }
    return undefined
  }

  /** Sends an event to everyone in the room but `from`. */
  announce<Name extends keyof MediaServerToClientEvents>(
    from: RoomPeer,
    name: Name,
    ...args: Parameters<MediaServerToClientEvents[Name]>
  ): void {
    if (this.#closed) return
    for (const peer of this.#peers.values()) {
      if (peer !== from) peer.notify(name, ...args)
    }
  }

  closeIfEmpty(): void {
    if (this.#peers.size === 0) this.#end()
  }

  /** Tells everyone why, and closes the router with all that is in it. */
  close(code: RoomClosed['code']): void {
    if (this.#closed) return
    const peers = [...this.#peers.values()]
    this.#peers.clear()
    this.#end()
    for (const peer of peers) {
      peer.notify('roomClosed', { code })
      peer.close()
    }
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.router.close()
    this.#onClosed()
    this.observer.emit('roomclosed', this)
  }
}
