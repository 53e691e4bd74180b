import type { MediaSource } from '@conclave/core/sframe'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import type { EncodedFrame } from '../../src/media/encodedFrame.ts'
import type { EpochKeys, ListSignatures } from '../../src/media/frameCryptor.ts'
import type { TransformOptions, WorkerMessage } from '../../src/media/messages.ts'
import { type FrameTransformer, FrameWorker } from '../../src/media/worker/frameWorker.ts'
import { aead, epochOf, hash, TestFrame, VP8, vp8Frame } from './frames.ts'

/** The worker's half of a transform, on the streams that Node has too. */
export class Transformer implements FrameTransformer {
  readonly options: TransformOptions
  readonly readable: ReadableStream<EncodedFrame>
  readonly writable: WritableStream<EncodedFrame>
  readonly out: TestFrame[] = []
  keyFramesGenerated = 0
  keyFramesRequested = 0
  written = 0
  readonly #in: WritableStreamDefaultWriter<EncodedFrame>
  readonly #closed: Promise<void>

  constructor(options: TransformOptions) {
    this.options = options
    const source = new TransformStream<EncodedFrame, EncodedFrame>()
    this.readable = source.readable
    this.#in = source.writable.getWriter()
    let ended = () => {}
    this.#closed = new Promise((resolve) => {
      ended = resolve
    })
    this.writable = new WritableStream({
      write: (frame) => void this.out.push(frame as TestFrame),
      close: () => ended(),
    })
  }

  async write(frame: TestFrame): Promise<void> {
    this.written++
    await this.#in.write(frame)
  }

  /** Ends the track; resolves when all that was written has been dealt with. */
  async end(): Promise<void> {
    await this.#in.close()
    await this.#closed
  }

  async generateKeyFrame(): Promise<void> {
    this.keyFramesGenerated++
  }

  async sendKeyFrameRequest(): Promise<void> {
    this.keyFramesRequested++
  }
}

/** Where lists of digests come in: whether a member makes them, and what its page says of them. */
export interface Listing {
  readonly isListing: boolean
  readonly page: ListSignatures
}

/** One member's worker and what it told the page. */
export class Member {
  readonly leaf: number
  readonly posted: WorkerMessage[] = []
  readonly worker: FrameWorker
  readonly #transformers: Transformer[] = []
  #nextId = 1

  constructor(leaf: number, clock: VirtualClock, listing?: Listing) {
    this.leaf = leaf
    this.worker = new FrameWorker({
      clock,
      aead,
      hash,
      post: (message) => {
        if (message.type === 'sign-list' || message.type === 'judge-list') {
          void this.#answer(message, listing?.page)
        } else {
          this.posted.push(message)
        }
      },
    })
    const isListing = listing?.isListing === true
    this.worker.handle({ type: 'start', suite: undefined, isListing })
  }

  install(epoch: bigint, changes: Partial<EpochKeys> = {}): void {
    const keys = { ...epochOf(epoch, this.leaf), ...changes }
    this.worker.handle({ type: 'install-epoch', keys })
  }

  sends(source: MediaSource, isRenewed = false): Transformer {
    return this.#attach({ id: this.#nextId++, direction: 'send', source, isRenewed })
  }

  receives(leaf: number, source: MediaSource): Transformer {
    return this.#attach({ id: this.#nextId++, direction: 'receive', sender: { leaf, source } })
  }

  stats() {
    this.worker.handle({ type: 'stats', request: 1 })
    const answer = this.posted.pop()
    if (answer?.type !== 'stats') throw new Error('no stats')
    return answer.stats
  }

  /** Waits until every frame that went into a transform has been counted. */
  async settled(transformer: Transformer): Promise<void> {
    const patience = AbortSignal.timeout(30_000)
    while (!patience.aborted) {
      const { senders, receivers } = this.stats()
      let counted = 0
      for (const sender of senders) counted += sender.protected + sum(sender.dropped)
      for (const { opened, waiting, dropped } of receivers)
        counted += opened + waiting + sum(dropped)
      await new Promise((resolve) => setImmediate(resolve))
      if (counted === this.#written()) return
    }
    throw new Error(`frame ${transformer.written} of ${transformer.options.direction} got lost`)
  }

  async #answer(
    message: Extract<WorkerMessage, { type: 'sign-list' | 'judge-list' }>,
    page: ListSignatures | undefined,
  ): Promise<void> {
    const { request } = message
    if (message.type === 'sign-list') {
      const signature = await page?.sign(message.list)
      this.worker.handle({ type: 'list-signed', request, signature })
    } else {
      const judgement = (await page?.judge(message.signed)) ?? 'unknown-signer'
      this.worker.handle({ type: 'list-judged', request, judgement })
    }
  }

  #written(): number {
    return this.#transformers.reduce((total, { written }) => total + written, 0)
  }

  #attach(options: TransformOptions): Transformer {
    const transformer = new Transformer(options)
    this.#transformers.push(transformer)
    this.worker.attach(transformer)
    return transformer
  }
}

export function sum(counts: Partial<Record<string, number>>): number {
  return Object.values(counts).reduce<number>((total, count) => total + (count ?? 0), 0)
}

/** Alice (leaf 0) sends, Bob (leaf 1) receives; the test is the network between them. */
export class Call {
  readonly clock = new VirtualClock()
  readonly alice = new Member(0, this.clock)
  readonly bob = new Member(1, this.clock)
  readonly #sent = new Map<MediaSource, Transformer>()
  readonly #got = new Map<MediaSource, Transformer>()

  install(epoch: bigint, changes: Partial<EpochKeys> = {}): void {
    this.alice.install(epoch, changes)
    this.bob.install(epoch, changes)
  }

  get camera(): Transformer {
    return got(this.#sent, 'camera', () => this.alice.sends('camera'))
  }

  get screen(): Transformer {
    return got(this.#got, 'camera', () => this.bob.receives(0, 'camera'))
  }

  /** What Alice sends of one camera frame; `undefined` where she sends nothing. */
  async send(type: 'key' | 'delta' = 'delta', seed = 1): Promise<TestFrame | undefined> {
    const before = this.camera.out.length
    await this.camera.write(new TestFrame(VP8, vp8Frame(type, 200, seed), type))
    await this.alice.settled(this.camera)
    const sent = this.camera.out[before]
    return sent && new TestFrame(VP8, sent.bytes, type)
  }

  /** How many frames come out at Bob's when `frame` comes in. */
  async deliver(frame: TestFrame | undefined): Promise<number> {
    const before = this.screen.out.length
    if (frame !== undefined) await this.screen.write(frame)
    await this.bob.settled(this.screen)
    return this.screen.out.length - before
  }

  dropped() {
    return this.bob.stats().receivers[0]?.dropped
  }
}

function got<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}
