import type { Clock } from '@conclave/core'
import { type ExpectedSender, type MediaSource, SFrameError } from '@conclave/core/sframe'
import { Confirmations } from './confirmations.ts'
import { MediaError } from './error.ts'
import type { EpochKeys, FrameCryptor, FrameCryptorStats, ListSignatures } from './frameCryptor.ts'
import type { FrameRoute } from './frameRoute.ts'
import { HeldReceiver, HeldSender } from './heldMedia.ts'
import { requiredRoute } from './mediaPlatform.ts'
import type { PageMessage, TransformId, WorkerMessage, WorkerStats } from './messages.ts'
import { checkCodec, checkUntouched } from './senderState.ts'
import { createMediaWorker, type MediaWorker } from './worker/createWorker.ts'
import { WorkerWatch } from './workerWatch.ts'

export interface WorkerFrameCryptorOptions {
  readonly clock: Clock
  /** The SFrame cipher suite (RFC 9605 §8.1); AES_128_GCM_SHA256_128 where not given. */
  readonly suite?: number
  /** Starts `@conclave/client`'s media worker, for bundlers that do not find it on their own. */
  readonly createWorker?: () => MediaWorker
  /** The cryptor cannot go on: `media-worker-failed`, `media-epoch-refused`. Media stays silent. */
  readonly onFailure?: (error: MediaError) => void
  /** A key has encrypted three quarters of what it may: the session is to begin a new epoch. */
  readonly onKeyWorn?: (epoch: bigint) => void
  /**
   * The worker is gone, and the keys with it; all tracks are silent. `take` is to be called with the
   * newest epoch's keys under a new incarnation, and starts another worker. Where this is not given,
   * or workers fail more than three times in a minute, the cryptor fails.
   */
  readonly onKeysLost?: (error: MediaError, take: (keys: EpochKeys) => void) => void
  /** Whether what is sent has its digests listed; false where not given. */
  readonly isListing?: boolean
  /** Without it nothing is signed, and nobody is found to be authenticated. */
  readonly listSignatures?: ListSignatures
}

/** How often a worker may be replaced in `REPLACEMENT_SPAN_MS`. */
const MAX_REPLACEMENTS = 3
const REPLACEMENT_SPAN_MS = 60_000
/**
 * Chromium takes two seconds to end a worker that is stuck. Whoever gets a new transform before
 * that loses it again when the old one goes.
 */
const TERMINATION_MS = 3_000

/**
 * A frame cryptor with encoded transforms in one worker.
 *
 * @throws MediaError `media-unsupported-platform` where the browser has none
 */
export function createWorkerFrameCryptor(options: WorkerFrameCryptorOptions): FrameCryptor {
  return new WorkerFrameCryptor(options, requiredRoute())
}

class WorkerFrameCryptor implements FrameCryptor {
  readonly #options: WorkerFrameCryptorOptions
  readonly #route: FrameRoute
  readonly #attached: Confirmations<void>
  readonly #stats: Confirmations<WorkerStats>
  readonly #senders = new Map<TransformId, HeldSender>()
  readonly #receivers = new Map<TransformId, HeldReceiver>()
  readonly #watch: WorkerWatch
  #worker: MediaWorker
  /** When workers were replaced. */
  #replacements: number[] = []
  #nextId = 1
  #ended: MediaError | undefined

  constructor(options: WorkerFrameCryptorOptions, route: FrameRoute) {
    this.#options = options
    this.#route = route
    const { clock } = options
    this.#attached = new Confirmations(clock)
    this.#stats = new Confirmations(clock)
    this.#watch = new WorkerWatch(clock, {
      ask: () => this.#post({ type: 'ping' }),
      silent: () => this.#lost(new MediaError('media-worker-failed', 'the media worker is stuck')),
    })
    this.#worker = this.#startWorker()
  }

  get connectionSettings(): RTCConfiguration {
    return this.#route.settings
  }

  installEpoch(keys: EpochKeys): void {
    this.#checkOpen()
    const { baseKey } = keys
    // Transferring takes the whole buffer, which must hold nothing else.
    const owned = baseKey.byteLength === baseKey.buffer.byteLength ? baseKey : baseKey.slice()
    this.#post({ type: 'install-epoch', keys: { ...keys, baseKey: owned } }, [owned.buffer])
    if (owned !== baseKey) baseKey.fill(0)
  }

  async protect(sender: RTCRtpSender, { source }: { source: MediaSource }): Promise<void> {
    checkUntouched(sender, this.#route)
    const held = new HeldSender(this.#nextId++, sender, source)
    try {
      this.#checkOpen()
      checkCodec(sender)
      this.#attachSender(held, false)
    } catch (refusal) {
      await sender.replaceTrack(null)
      throw refusal
    }
    this.#senders.set(held.id, held)
    await Promise.all([held.silence(), this.#attached.expect(held.id)])
    await held.resume()
  }

  async unprotect(receiver: RTCRtpReceiver, expected: ExpectedSender): Promise<void> {
    const sender: ExpectedSender = { leaf: expected.leaf, source: expected.source }
    const known = [...this.#receivers.values()].find((held) => held.receiver === receiver)
    if (known === undefined && this.#route.isTaken(receiver)) {
      throw new MediaError('media-already-transformed', 'the receiver has a transform already')
    }
    const held = known ?? new HeldReceiver(this.#nextId++, receiver, sender)
    held.hold()
    this.#checkOpen()
    held.expected = sender
    if (known === undefined) {
      this.#attachReceiver(held)
      this.#adopt(held)
    } else {
      this.#post({ type: 'expect', id: held.id, sender })
    }
    await this.#attached.expect(held.id)
  }

  async stats(): Promise<FrameCryptorStats> {
    this.#checkOpen()
    const request = this.#nextId++
    const answer = this.#stats.expect(request)
    this.#post({ type: 'stats', request })
    const { senders, receivers } = await answer
    return {
      senders,
      receivers: receivers.flatMap(({ id, ...stats }) => {
        const receiver = this.#receivers.get(id)?.receiver
        // A track that has just ended.
        return receiver === undefined ? [] : [{ ...stats, receiver }]
      }),
    }
  }

  close(): void {
    if (this.#ended !== undefined) return
    this.#post({ type: 'close' })
    // The worker ends itself when it has wiped its keys; a stuck one is ended from here.
    const worker = this.#worker
    this.#options.clock.setTimer(1_000, () => worker.terminate())
    this.#end(new MediaError('media-closed', 'the frame cryptor was closed'))
  }

  #startWorker(): MediaWorker {
    const { createWorker = createMediaWorker, suite, isListing = false } = this.#options
    const worker = createWorker()
    worker.onmessage = (event: MessageEvent<WorkerMessage>) => {
      if (this.#worker === worker) this.#receive(event.data, worker)
    }
    worker.onerror = (event) => {
      event.preventDefault()
      if (this.#worker !== worker) return
      this.#lost(new MediaError('media-worker-failed', 'the media worker failed'))
    }
    const start: PageMessage = { type: 'start', suite, isListing }
    worker.postMessage(start)
    this.#watch.start()
    return worker
  }

  #receive(message: WorkerMessage, worker: MediaWorker): void {
    this.#watch.heard()
    switch (message.type) {
      case 'attached':
        this.#attached.confirm(message.id, undefined)
        break
      case 'detached':
        this.#senders.delete(message.id)
        break
      case 'authentic':
        this.#receivers.get(message.id)?.release()
        break
      case 'key-frame-needed':
        this.#senders.get(message.id)?.makeKeyFrame()
        break
      case 'epoch-refused':
        this.#fail(
          new MediaError('media-epoch-refused', `epoch ${message.epoch} was refused`, {
            cause: new SFrameError(message.code, 'refused by the media worker'),
          }),
        )
        break
      case 'key-worn':
        this.#options.onKeyWorn?.(message.epoch)
        break
      case 'stats':
        this.#stats.confirm(message.request, message.stats)
        break
      case 'sign-list':
        void this.#signList(message, worker)
        break
      case 'judge-list':
        void this.#judgeList(message, worker)
        break
      case 'pong':
        break
      case 'closed':
        this.#worker.terminate()
        break
    }
  }

  async #signList(
    { request, list }: Extract<WorkerMessage, { type: 'sign-list' }>,
    worker: MediaWorker,
  ): Promise<void> {
    const { listSignatures } = this.#options
    const signature = await listSignatures?.sign(list).catch(() => undefined)
    const answer: PageMessage = { type: 'list-signed', request, signature }
    worker.postMessage(answer)
  }

  async #judgeList(
    { request, signed }: Extract<WorkerMessage, { type: 'judge-list' }>,
    worker: MediaWorker,
  ): Promise<void> {
    const { listSignatures } = this.#options
    const judging = listSignatures?.judge(signed).catch(() => undefined)
    const answer: PageMessage = {
      type: 'list-judged',
      request,
      judgement: (await judging) ?? 'unknown-signer',
    }
    worker.postMessage(answer)
  }

  #attachSender({ id, sender, source }: HeldSender, isRenewed: boolean): void {
    this.#route.attach(sender, this.#worker, { id, direction: 'send', source, isRenewed })
  }

  #attachReceiver({ id, receiver, expected: sender }: HeldReceiver): void {
    this.#route.attach(receiver, this.#worker, { id, direction: 'receive', sender })
  }

  #adopt(held: HeldReceiver): void {
    const { id, receiver } = held
    this.#receivers.set(id, held)
    receiver.track.addEventListener('ended', () => {
      this.#receivers.delete(id)
      if (this.#ended === undefined) this.#post({ type: 'detach', id })
    })
  }

  /** The worker is gone: all falls silent, and another one takes its place. */
  #lost(error: MediaError): void {
    const { onKeysLost, clock } = this.#options
    const now = clock.now()
    this.#replacements = this.#replacements.filter((at) => now - at < REPLACEMENT_SPAN_MS)
    const isEnough = this.#replacements.length >= MAX_REPLACEMENTS
    if (this.#ended !== undefined) return
    if (onKeysLost === undefined || !this.#route.isRenewable || isEnough) {
      this.#fail(error)
      return
    }
    this.#replacements.push(now)
    this.#worker.terminate()
    this.#watch.stop()
    this.#stats.failAll(error)
    this.#silence()
    clock.setTimer(TERMINATION_MS, () => {
      if (this.#ended === undefined) onKeysLost(error, (keys) => this.#replace(keys))
    })
  }

  #replace(keys: EpochKeys): void {
    if (this.#ended !== undefined) {
      keys.baseKey.fill(0)
      return
    }
    try {
      this.#worker = this.#startWorker()
    } catch (cause) {
      keys.baseKey.fill(0)
      this.#fail(new MediaError('media-worker-failed', 'no other media worker starts', { cause }))
      return
    }
    this.installEpoch(keys)
    for (const held of this.#senders.values()) void this.#attachAgain(held)
    for (const held of this.#receivers.values()) this.#attachReceiver(held)
  }

  /** Once nothing goes out, its frames are led to the new worker; one that has stopped stays off. */
  async #attachAgain(held: HeldSender): Promise<void> {
    try {
      await held.silence()
      this.#attachSender(held, true)
      await this.#attached.expect(held.id)
      await held.resume()
    } catch {
      this.#senders.delete(held.id)
    }
  }

  #post(message: PageMessage, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer)
  }

  #checkOpen(): void {
    if (this.#ended !== undefined) throw this.#ended
  }

  #silence(): void {
    // A sender that has stopped has no track to take off.
    for (const held of this.#senders.values()) held.silence().catch(() => {})
    for (const held of this.#receivers.values()) held.hold()
  }

  #fail(error: MediaError): void {
    if (this.#ended !== undefined) return
    this.#worker.terminate()
    this.#silence()
    this.#end(error)
    this.#options.onFailure?.(error)
  }

  #end(error: MediaError): void {
    this.#ended = error
    this.#watch.stop()
    this.#attached.failAll(error)
    this.#stats.failAll(error)
  }
}
