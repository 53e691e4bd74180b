import { createHash } from 'node:crypto'
import type { EpochKeys, FrameCryptor, FrameCryptorHost } from '@conclave/client/media'
import { machineTime } from '../servers/child.ts'

/** One epoch's media key in one client's hands. */
export interface Installed {
  readonly epoch: number
  readonly at: number
  readonly removed: readonly number[]
}

/** What a client has now; equal digests are equal keys. */
export interface Holding {
  readonly epoch: number
  readonly members: number
  readonly keyDigest: string
}

/**
 * Planted, to see that a run notices. `deaf`: installs its first epoch and no other. `astray`: has
 * another key than everybody else.
 */
export type Fault = 'deaf' | 'astray'

/** Stands in for the worker: there is no media, and what counts is when each epoch's key is there. */
export class RecordingCryptor implements FrameCryptor {
  readonly installed: Installed[] = []
  readonly #fault: Fault | undefined
  readonly #changed: () => void
  #host: FrameCryptorHost | undefined
  #holding: Holding | undefined

  constructor(fault: Fault | undefined, changed: () => void) {
    this.#fault = fault
    this.#changed = changed
  }

  get holding(): Holding | undefined {
    return this.#holding
  }

  /** Takes part in the meeting that has made it. */
  within(host: FrameCryptorHost): this {
    this.#host = host
    return this
  }

  /** Says of the newest epoch's key that another is needed. */
  wearOut(): void {
    if (this.#holding !== undefined) this.#host?.keyWorn(BigInt(this.#holding.epoch))
  }

  installEpoch({ epoch, baseKey, leaves, removedLeaves }: EpochKeys): void {
    const at = machineTime()
    if (this.#fault === 'astray') baseKey.reverse()
    const keyDigest = createHash('sha256').update(baseKey).digest('hex')
    baseKey.fill(0)
    if (this.#fault === 'deaf' && this.#holding !== undefined) return
    this.installed.push({ epoch: Number(epoch), at, removed: removedLeaves })
    this.#holding = { epoch: Number(epoch), members: leaves.length, keyDigest }
    this.#changed()
  }

  // There are no tracks.
  async protect(): Promise<void> {}
  async unprotect(): Promise<void> {}
  async stats() {
    return { senders: [], receivers: [] }
  }
  close(): void {}
}
