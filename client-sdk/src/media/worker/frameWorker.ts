import type { Clock } from '@conclave/core'
import type { Bytes } from '@conclave/core/codec'
import {
  type FrameAead,
  type FrameHash,
  FrameKeys,
  FrameLister,
  type ListJudgement,
  type MediaSource,
  SFrameError,
  type SignedDigestList,
} from '@conclave/core/sframe'
import type { EncodedFrame } from '../encodedFrame.ts'
import type { EpochKeys } from '../frameCryptor.ts'
import { FrameWitness } from '../frameWitness.ts'
import type {
  PageMessage,
  TransformId,
  TransformOptions,
  WorkerMessage,
  WorkerStats,
} from '../messages.ts'
import { ReceiveTransform } from '../receiveTransform.ts'
import { SendTransform } from '../sendTransform.ts'

/** What is used of RTCRtpScriptTransformer. */
export interface FrameTransformer {
  readonly readable: ReadableStream<EncodedFrame>
  readonly writable: WritableStream<EncodedFrame>
  readonly options: TransformOptions
  readonly generateKeyFrame?: (() => Promise<unknown>) | undefined
  readonly sendKeyFrameRequest?: (() => Promise<unknown>) | undefined
}

/**
 * All transforms of a page in one worker, with the keys they share. Knows no worker: `post` takes
 * what goes to the page.
 */
export class FrameWorker {
  readonly #clock: Clock
  readonly #aead: FrameAead
  readonly #hash: FrameHash
  readonly #post: (message: WorkerMessage) => void
  readonly #keyBlocks: number | undefined
  readonly #senders = new Map<TransformId, SendTransform<EncodedFrame>>()
  readonly #receivers = new Map<TransformId, ReceiveTransform<EncodedFrame>>()
  #keys: FrameKeys | undefined
  #isListing = false
  /** One for all transforms of a source, as its key and counters are. */
  readonly #listers = new Map<MediaSource, FrameLister>()
  /** What the page has been asked, by number. */
  readonly #signing = new Map<number, (signature: Bytes | undefined) => void>()
  readonly #judging = new Map<number, (judgement: ListJudgement) => void>()
  #nextRequest = 1
  /** Transforms whose event overtook the `start` message. */
  #early: FrameTransformer[] = []

  constructor(options: {
    readonly clock: Clock
    readonly aead: FrameAead
    /** SHA-256. */
    readonly hash: FrameHash
    readonly post: (message: WorkerMessage) => void
    /** What one sending key may encrypt, in blocks; `KEY_BLOCKS` unless told. */
    readonly keyBlocks?: number
  }) {
    this.#clock = options.clock
    this.#aead = options.aead
    this.#hash = options.hash
    this.#post = options.post
    this.#keyBlocks = options.keyBlocks
  }

  handle(message: PageMessage): void {
    switch (message.type) {
      case 'start':
        this.#isListing = message.isListing
        this.#start(message.suite)
        break
      case 'install-epoch':
        this.#installEpoch(message.keys)
        break
      case 'expect':
        this.#receivers.get(message.id)?.expect(message.sender)
        this.#post({ type: 'attached', id: message.id })
        break
      case 'attach':
        this.attach(message)
        break
      case 'list-signed':
        answer(this.#signing, message.request, message.signature)
        break
      case 'list-judged':
        answer(this.#judging, message.request, message.judgement)
        break
      case 'ping':
        this.#post({ type: 'pong' })
        break
      case 'detach':
        this.#detach(message.id)
        break
      case 'stats':
        this.#post({ type: 'stats', request: message.request, stats: this.#stats() })
        break
      case 'close':
        this.#close()
        break
    }
  }

  /** Joins a transform's two ends, and confirms it to the page. */
  attach(transformer: FrameTransformer): void {
    const keys = this.#keys
    if (keys === undefined) {
      this.#early.push(transformer)
      return
    }
    const { options } = transformer
    const pipe = framePipe(transformer)
    if (options.direction === 'send') {
      const transform = new SendTransform<EncodedFrame>({
        keys,
        isSwitching: () => keys.isSwitching,
        source: options.source,
        lacksKeyFrame: options.isRenewed,
        lister: this.#listerOf(options.source),
        deliver: pipe.deliver,
        generateKeyFrame: () => this.#makeKeyFrame(transformer),
      })
      this.#senders.set(options.id, transform)
      this.#run(
        options.id,
        pipe.run((frame) => transform.push(frame)),
      )
    } else {
      const transform = new ReceiveTransform<EncodedFrame>({
        keys,
        clock: this.#clock,
        expected: options.sender,
        witness: this.#newWitness(),
        deliver: pipe.deliver,
        requestKeyFrame: () => quietly(transformer.sendKeyFrameRequest?.()),
        onAuthentic: () => this.#post({ type: 'authentic', id: options.id }),
      })
      this.#receivers.set(options.id, transform)
      this.#run(
        options.id,
        pipe.run((frame) => transform.push(frame)),
      )
    }
    this.#post({ type: 'attached', id: options.id })
  }

  /** Chromium's transformers make none, its senders do. */
  #makeKeyFrame(transformer: FrameTransformer): void {
    const { id } = transformer.options
    if (transformer.generateKeyFrame !== undefined) quietly(transformer.generateKeyFrame())
    else this.#post({ type: 'key-frame-needed', id })
  }

  #start(suite: number | undefined): void {
    this.#keys = new FrameKeys({
      aead: this.#aead,
      clock: this.#clock,
      ...(suite === undefined ? {} : { suite }),
      ...(this.#keyBlocks === undefined ? {} : { keyBlocks: this.#keyBlocks }),
      onWorn: (epoch) => this.#post({ type: 'key-worn', epoch }),
      onSwitched: () => {
        for (const sender of this.#senders.values()) sender.switched()
      },
    })
    for (const transformer of this.#early.splice(0)) this.attach(transformer)
  }

  #installEpoch(keys: EpochKeys): void {
    try {
      this.#keys?.installEpoch(keys)
    } catch (error) {
      if (!(error instanceof SFrameError)) throw error
      this.#post({ type: 'epoch-refused', epoch: keys.epoch, code: error.code })
      return
    }
    const { continues } = keys
    if (continues !== undefined) {
      for (const receiver of this.#receivers.values()) receiver.moved(continues)
      for (const lister of this.#listers.values()) lister.reset()
    }
    for (const sender of this.#senders.values()) sender.keysChanged()
    for (const receiver of this.#receivers.values()) void receiver.keysChanged()
  }

  #listerOf(source: MediaSource): FrameLister | undefined {
    if (!this.#isListing) return undefined
    let lister = this.#listers.get(source)
    if (lister === undefined) {
      const sign = (list: Bytes) =>
        this.#ask(this.#signing, (request) => ({ type: 'sign-list', request, list }))
      lister = new FrameLister({ clock: this.#clock, hash: this.#hash, sign })
      this.#listers.set(source, lister)
    }
    return lister
  }

  #newWitness(): FrameWitness {
    const verify = (signed: SignedDigestList) =>
      this.#ask(this.#judging, (request) => ({ type: 'judge-list', request, signed }))
    return new FrameWitness({ clock: this.#clock, hash: this.#hash, verify })
  }

  #ask<Answer>(
    asked: Map<number, (answer: Answer) => void>,
    question: (request: number) => WorkerMessage,
  ): Promise<Answer> {
    const request = this.#nextRequest++
    return new Promise((resolve) => {
      asked.set(request, resolve)
      this.#post(question(request))
    })
  }

  #run(id: TransformId, running: Promise<void>): void {
    const ended = () => {
      this.#detach(id)
      this.#post({ type: 'detached', id })
    }
    running.then(ended, ended)
  }

  #detach(id: TransformId): void {
    this.#senders.delete(id)
    this.#receivers.get(id)?.close()
    this.#receivers.delete(id)
  }

  #stats(): WorkerStats {
    return {
      senders: [...this.#senders.values()].map((sender) => sender.stats()),
      receivers: Array.from(this.#receivers, ([id, receiver]) => ({ id, ...receiver.stats() })),
    }
  }

  #close(): void {
    this.#keys?.close()
    for (const lister of this.#listers.values()) lister.close()
    for (const id of [...this.#senders.keys(), ...this.#receivers.keys()]) this.#detach(id)
    this.#post({ type: 'closed' })
  }
}

function answer<Answer>(
  asked: Map<number, (answer: Answer) => void>,
  request: number,
  value: Answer,
): void {
  asked.get(request)?.(value)
  asked.delete(request)
}

/** Pipes a transformer through `push`; frames may be delivered at any later time too. */
function framePipe({ readable, writable }: FrameTransformer): {
  deliver(frame: EncodedFrame): void
  run(push: (frame: EncodedFrame) => Promise<void>): Promise<void>
} {
  let controller: TransformStreamDefaultController<EncodedFrame> | undefined
  return {
    deliver(frame) {
      try {
        controller?.enqueue(frame)
      } catch {
        // The track ended while the frame was under way: nobody is left to see it.
      }
    },
    run(push) {
      const through = new TransformStream<EncodedFrame, EncodedFrame>({
        start(started) {
          controller = started
        },
        transform: (frame) => push(frame),
      })
      return readable.pipeThrough(through).pipeTo(writable)
    },
  }
}

/** A key frame that does not come is asked for again by RTCP. */
function quietly(keyFrame: Promise<unknown> | undefined): void {
  keyFrame?.catch(() => undefined)
}
