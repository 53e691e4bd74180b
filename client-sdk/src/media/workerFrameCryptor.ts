import type { Clock } from '@conclave/core'
import { type ExpectedSender, type MediaSource, SFrameError } from '@conclave/core/sframe'
import { Confirmations } from './confirmations.ts'
import { MediaError } from './error.ts'
import type { EpochKeys, FrameCryptor, FrameCryptorStats } from './frameCryptor.ts'
import type { PageMessage, TransformId, TransformOptions, WorkerMessage } from './messages.ts'
import { checkCodec, checkUntouched } from './senderState.ts'
import { createMediaWorker, type MediaWorker } from './worker/createWorker.ts'

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
}

/** A receiver whose track shows nothing before a frame of its sender has been authenticated. */
interface HeldReceiver {
  readonly id: TransformId
  readonly receiver: RTCRtpReceiver
  /** Whether the track was enabled when it was taken; `undefined` while it is not held. */
  enabled: boolean | undefined
}

/**
 * A frame cryptor with RTCRtpScriptTransform in one worker.
 *
 * @throws MediaError `media-unsupported-platform` where the browser has none
 */
export function createWorkerFrameCryptor(options: WorkerFrameCryptorOptions): FrameCryptor {
  if (typeof RTCRtpScriptTransform === 'undefined') {
    throw new MediaError('media-unsupported-platform', 'the browser has no RTCRtpScriptTransform', {
      remedy: 'use a browser that supports WebRTC encoded transforms',
    })
  }
  return new WorkerFrameCryptor(options)
}

class WorkerFrameCryptor implements FrameCryptor {
  readonly #clock: Clock
  readonly #worker: MediaWorker
  readonly #onFailure: (error: MediaError) => void
  readonly #onKeyWorn: (epoch: bigint) => void
  readonly #attached: Confirmations<void>
  readonly #stats: Confirmations<FrameCryptorStats>
  readonly #receivers = new Map<TransformId, HeldReceiver>()
  #nextId = 1
  #ended: MediaError | undefined

  constructor(options: WorkerFrameCryptorOptions) {
    this.#clock = options.clock
    this.#onFailure = options.onFailure ?? (() => {})
    this.#onKeyWorn = options.onKeyWorn ?? (() => {})
    this.#attached = new Confirmations(options.clock)
    this.#stats = new Confirmations(options.clock)
    this.#worker = (options.createWorker ?? createMediaWorker)()
    this.#worker.onmessage = (event: MessageEvent<WorkerMessage>) => this.#receive(event.data)
    this.#worker.onerror = (event) => {
      event.preventDefault()
      this.#fail(new MediaError('media-worker-failed', 'the media worker failed'))
    }
    this.#post({ type: 'start', suite: options.suite })
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
    checkUntouched(sender)
    const { track } = sender
    const silenced = () => sender.replaceTrack(null)
    try {
      this.#checkOpen()
      checkCodec(sender)
    } catch (refusal) {
      await silenced()
      throw refusal
    }
    const id = this.#nextId++
    sender.transform = this.#transform({ id, direction: 'send', source })
    await Promise.all([silenced(), this.#attached.expect(id)])
    // Whoever gave the sender another track in the meantime keeps it.
    if (sender.track === null) await sender.replaceTrack(track)
  }

  async unprotect(receiver: RTCRtpReceiver, expected: ExpectedSender): Promise<void> {
    const sender: ExpectedSender = { leaf: expected.leaf, source: expected.source }
    const known = [...this.#receivers.values()].find((held) => held.receiver === receiver)
    if (known === undefined && receiver.transform) {
      throw new MediaError('media-already-transformed', 'the receiver has a transform already')
    }
    const { enabled } = receiver.track
    receiver.track.enabled = false
    this.#checkOpen()
    const id = known?.id ?? this.#nextId++
    if (known === undefined) {
      receiver.transform = this.#transform({ id, direction: 'receive', sender })
    } else {
      this.#post({ type: 'expect', id, sender })
    }
    const held = known ?? this.#adopt(id, receiver)
    held.enabled ??= enabled
    await this.#attached.expect(id)
  }

  async stats(): Promise<FrameCryptorStats> {
    this.#checkOpen()
    const request = this.#nextId++
    const answer = this.#stats.expect(request)
    this.#post({ type: 'stats', request })
    return await answer
  }

  close(): void {
    if (this.#ended !== undefined) return
    this.#post({ type: 'close' })
    // The worker ends itself when it has wiped its keys; a stuck one is ended from here.
    this.#clock.setTimer(1_000, () => this.#worker.terminate())
    this.#end(new MediaError('media-closed', 'the frame cryptor was closed'))
  }

  #receive(message: WorkerMessage): void {
    switch (message.type) {
      case 'attached':
        this.#attached.confirm(message.id, undefined)
        break
      case 'authentic':
        this.#release(message.id)
        break
      case 'epoch-refused':
        this.#fail(
          new MediaError('media-epoch-refused', `epoch ${message.epoch} was refused`, {
            cause: new SFrameError(message.code, 'refused by the media worker'),
          }),
        )
        break
      case 'key-worn':
        this.#onKeyWorn(message.epoch)
        break
      case 'stats':
        this.#stats.confirm(message.request, message.stats)
        break
      case 'closed':
        this.#worker.terminate()
        break
    }
  }

  #adopt(id: TransformId, receiver: RTCRtpReceiver): HeldReceiver {
    const held: HeldReceiver = { id, receiver, enabled: undefined }
    this.#receivers.set(id, held)
    receiver.track.addEventListener('ended', () => {
      this.#receivers.delete(id)
      if (this.#ended === undefined) this.#post({ type: 'detach', id })
    })
    return held
  }

  #release(id: TransformId): void {
    const held = this.#receivers.get(id)
    if (held?.enabled === undefined) return
    held.receiver.track.enabled = held.enabled
    held.enabled = undefined
  }

  #transform(options: TransformOptions): RTCRtpScriptTransform {
    return new RTCRtpScriptTransform(this.#worker, options)
  }

  #post(message: PageMessage, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer)
  }

  #checkOpen(): void {
    if (this.#ended !== undefined) throw this.#ended
  }

  #fail(error: MediaError): void {
    if (this.#ended !== undefined) return
    this.#worker.terminate()
    this.#end(error)
    this.#onFailure(error)
  }

  #end(error: MediaError): void {
    this.#ended = error
    this.#attached.failAll(error)
    this.#stats.failAll(error)
  }
}
