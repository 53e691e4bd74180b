import {
  type EpochKeys,
  type FrameCryptor,
  FrameOpener,
  FrameProtector,
} from '@conclave/client/media'
import type { Clock } from '@conclave/core'
import type { Bytes } from '@conclave/core/codec'
import { FrameKeys, webCryptoAead } from '@conclave/core/sframe'
import type { SecretRecorder } from './secretRecorder.ts'

const source = 'microphone'
const codec = 'audio/opus'

/** The SDK's frame encryption without the browser around it, whose keys are recorded. */
export class NodeFrameCryptor implements FrameCryptor {
  readonly #recorder: SecretRecorder
  readonly #keys: FrameKeys
  readonly #protector: FrameProtector

  constructor(recorder: SecretRecorder, clock: Clock) {
    this.#recorder = recorder
    const aead = recorder.watchFrameKeys(webCryptoAead(globalThis.crypto.subtle))
    this.#keys = new FrameKeys({ aead, clock })
    this.#protector = new FrameProtector(this.#keys, source)
  }

  installEpoch(keys: EpochKeys): void {
    this.#recorder.takeFrameKeys(keys.baseKey, keys.epoch, keys.leaves)
    this.#keys.installEpoch(keys)
  }

  async seal(frame: Bytes): Promise<Bytes> {
    const sealed = await this.#protector.protect(codec, frame)
    if (!sealed.ok) throw new Error(`not sent: ${sealed.reason}`)
    return sealed.frame
  }

  async open(leaf: number, frame: Bytes): Promise<Bytes> {
    const opened = await new FrameOpener(this.#keys, { leaf, source }).open(codec, frame)
    if (!opened.ok) throw new Error(`not opened: ${opened.reason}`)
    return opened.frame
  }

  // There are no tracks: frames are handed in.
  async protect(): Promise<void> {}
  async unprotect(): Promise<void> {}
  async stats() {
    return { senders: [], receivers: [] }
  }

  close(): void {
    this.#keys.close()
  }
}
