import type { ProducerInfo } from '@conclave/core/mediaSignalling'
import type { types } from 'mediasoup-client'
import type { IsolatedEmitter } from '../isolatedEmitter.ts'
import { isSameDevice, type Participant } from '../session/roster.ts'
import { CallError } from './callError.ts'
import type { CallEvents, RemoteTrack } from './callEvents.ts'
import { isConsumerOf } from './claims.ts'
import type { MediaProtection } from './mediaProtection.ts'
import type { MediaTransports } from './mediaTransports.ts'
import type { Signalling } from './signalling.ts'

interface Subscription {
  info: ProducerInfo
  state: 'unknown-sender' | 'waiting' | 'starting' | 'live' | 'failed'
  participant: Participant | undefined
  consumer: types.Consumer | undefined
  remote: RemoteTrack | undefined
}

export interface SubscriptionsOptions {
  readonly signalling: Signalling
  readonly transports: MediaTransports
  readonly protection: MediaProtection
  readonly emitter: IsolatedEmitter<CallEvents>
}

/** More than any meeting has; an SFU that announces more is not believed. */
const MAX_PRODUCERS = 4_096
/** Consumers that are being set up at a time. */
const MAX_STARTING = 16

/** Receives what the room's producers send, each under the keys of the leaf that it claims. */
export class Subscriptions {
  readonly #options: SubscriptionsOptions
  readonly #subscriptions = new Map<string, Subscription>()
  #starting = 0
  #closed = false

  constructor(options: SubscriptionsOptions) {
    this.#options = options
  }

  add(info: ProducerInfo): void {
    if (this.#closed || this.#subscriptions.has(info.producerId)) return
    if (this.#subscriptions.size >= MAX_PRODUCERS) return
    // Of two producers of one leaf and source the newer counts: the other is a connection that broke.
    for (const { info: other } of [...this.#subscriptions.values()]) {
      if (other.leaf === info.leaf && other.source === info.source) this.remove(other.producerId)
    }
    const subscription: Subscription = {
      info,
      state: 'unknown-sender',
      participant: undefined,
      consumer: undefined,
      remote: undefined,
    }
    this.#subscriptions.set(info.producerId, subscription)
    if (!this.#identify(subscription)) {
      this.#options.emitter.emit('unknownSender', { leaf: info.leaf, source: info.source })
    }
    this.#startWaiting()
  }

  remove(producerId: string): void {
    const subscription = this.#subscriptions.get(producerId)
    if (subscription === undefined) return
    this.#subscriptions.delete(producerId)
    this.#end(subscription)
  }

  setPaused(producerId: string, paused: boolean): void {
    const subscription = this.#subscriptions.get(producerId)
    if (subscription === undefined || subscription.info.paused === paused) return
    subscription.info = { ...subscription.info, paused }
    if (subscription.remote !== undefined) {
      this.#options.emitter.emit(paused ? 'trackPaused' : 'trackResumed', subscription.remote)
    }
  }

  /** Ends what came from who is no longer there, and starts what waited for who is there now. */
  reviewRoster(): void {
    for (const subscription of this.#subscriptions.values()) {
      const { participant, info } = subscription
      const present = this.#senderOf(info)
      if (
        participant !== undefined &&
        (present === undefined || !isSameDevice(participant, present))
      ) {
        this.#end(subscription)
        subscription.state = 'unknown-sender'
        subscription.participant = undefined
      }
      if (subscription.state === 'unknown-sender') this.#identify(subscription)
    }
    this.#startWaiting()
  }

  /** The tracks that are being received. */
  get tracks(): RemoteTrack[] {
    return [...this.#subscriptions.values()]
      .map(({ remote }) => remote)
      .filter((remote) => remote !== undefined)
  }

  close(): void {
    this.#closed = true
    for (const producerId of [...this.#subscriptions.keys()]) this.remove(producerId)
  }

  /** The participant that the producer claims to be of; never oneself. */
  #senderOf({ leaf }: ProducerInfo): Participant | undefined {
    const { protection } = this.#options
    return leaf === protection.ownLeaf() ? undefined : protection.participantOf(leaf)
  }

  #identify(subscription: Subscription): boolean {
    const participant = this.#senderOf(subscription.info)
    if (participant === undefined) return false
    subscription.participant = participant
    subscription.state = 'waiting'
    return true
  }

  #startWaiting(): void {
    for (const subscription of this.#subscriptions.values()) {
      if (this.#starting >= MAX_STARTING) return
      if (subscription.state === 'waiting') void this.#start(subscription)
    }
  }

  async #start(subscription: Subscription): Promise<void> {
    const { info, participant } = subscription
    if (participant === undefined) return
    subscription.state = 'starting'
    this.#starting += 1
    const isWanted = () =>
      this.#subscriptions.get(info.producerId) === subscription &&
      subscription.participant === participant
    try {
      const { consumer, receiver } = await this.#consume(info)
      if (!isWanted()) {
        this.#closeConsumer(consumer)
        return
      }
      subscription.consumer = consumer
      subscription.state = 'live'
      const { source } = info
      const remote: RemoteTrack = { track: consumer.track, participant, source, receiver }
      subscription.remote = remote
      this.#options.emitter.emit('track', remote)
      if (subscription.info.paused) this.#options.emitter.emit('trackPaused', remote)
    } catch (cause) {
      if (!isWanted() || this.#closed) return
      subscription.state = 'failed'
      const error = cause instanceof Error ? cause : new Error(String(cause))
      this.#options.emitter.emit('trackFailed', { leaf: info.leaf, source: info.source, error })
    } finally {
      this.#starting -= 1
      this.#startWaiting()
    }
  }

  /** A consumer whose frames are decrypted, and that flows only then. */
  async #consume(
    info: ProducerInfo,
  ): Promise<{ consumer: types.Consumer; receiver: RTCRtpReceiver }> {
    const { signalling, transports, protection } = this.#options
    const { producerId, leaf, source, kind } = info
    const transport = await transports.get('recv')
    const parameters = await signalling.request('consume', {
      transportId: transport.id,
      producerId,
      rtpCapabilities: transports.rtpCapabilities,
    })
    if (!isConsumerOf(info, parameters)) {
      throw new CallError('sfu-protocol-violated', 'the SFU described no such consumer')
    }
    const { consumerId, rtpParameters } = parameters
    let unprotecting: Promise<void> | undefined
    const consumer = await transport.consume({
      id: consumerId,
      producerId,
      kind,
      rtpParameters,
      onRtpReceiver: (receiver) => {
        unprotecting = protection.unprotect(receiver, { leaf, source })
        // Awaited below; until then it must not count as unhandled.
        unprotecting.catch(() => {})
      },
    })
    try {
      const receiver = consumer.rtpReceiver
      if (unprotecting === undefined || receiver === undefined) {
        throw new CallError('browser-unsupported', 'the browser gave no receiver to decrypt')
      }
      await unprotecting
      await signalling.request('resumeConsumer', { consumerId })
      return { consumer, receiver }
    } catch (error) {
      this.#closeConsumer(consumer)
      throw error
    }
  }

  #end(subscription: Subscription): void {
    const { consumer, remote } = subscription
    subscription.consumer = undefined
    subscription.remote = undefined
    if (consumer !== undefined) this.#closeConsumer(consumer)
    if (remote !== undefined) this.#options.emitter.emit('trackEnded', remote)
  }

  #closeConsumer(consumer: types.Consumer): void {
    if (!consumer.closed) consumer.close()
    if (this.#closed) return
    // A consumer whose producer is gone is closed at the SFU already.
    this.#options.signalling.request('closeConsumer', { consumerId: consumer.id }).catch(() => {})
  }
}
