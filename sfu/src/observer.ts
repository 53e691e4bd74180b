import type { MediaRefusalCode, MediaSource, RelayClosedCode } from '@conclave/core/mediaSignalling'
import type { types } from 'mediasoup'
import type { Logger } from 'pino'

/** A room as instrumentation sees it. */
export interface ObservedRoom {
  readonly meeting: string
  readonly router: types.Router
}

export interface SfuObserverEvents {
  newworker: [worker: types.Worker]
  workerdied: [worker: types.Worker]
  newroom: [room: ObservedRoom]
  roomclosed: [room: ObservedRoom]
  newpeer: [peer: { room: ObservedRoom; peerId: string; identity: string }]
  peerclosed: [peer: { room: ObservedRoom; peerId: string }]
  newproducer: [
    producer: { room: ObservedRoom; peerId: string; source: MediaSource; producer: types.Producer },
  ]
  newconsumer: [consumer: { room: ObservedRoom; peerId: string; consumer: types.Consumer }]
  refused: [refusal: { request: string; code: MediaRefusalCode }]
  newrelay: []
  relayclosed: [relay: { code: RelayClosedCode | 'client-left' }]
}

/**
 * What happens inside the SFU, in mediasoup's vocabulary, for metrics and tests. It hands out
 * mediasoup's own objects. A listener that throws is logged and changes nothing.
 */
export class SfuObserver {
  readonly #listeners: {
    [Name in keyof SfuObserverEvents]: ((...args: SfuObserverEvents[Name]) => void)[]
  } = {
    newworker: [],
    workerdied: [],
    newroom: [],
    roomclosed: [],
    newpeer: [],
    peerclosed: [],
    newproducer: [],
    newconsumer: [],
    refused: [],
    newrelay: [],
    relayclosed: [],
  }
  readonly #logger: Logger

  constructor(logger: Logger) {
    this.#logger = logger
  }

  on<Name extends keyof SfuObserverEvents>(
    name: Name,
    listener: (...args: SfuObserverEvents[Name]) => void,
  ): this {
    this.#listeners[name].push(listener)
    return this
  }

  emit<Name extends keyof SfuObserverEvents>(name: Name, ...args: SfuObserverEvents[Name]): void {
    for (const listener of this.#listeners[name]) {
      try {
        listener(...args)
      } catch (error) {
        this.#logger.error({ err: error, event: name }, 'an observer of the SFU failed')
      }
    }
  }
}
