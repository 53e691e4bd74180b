import type { Call, Publication } from '@conclave/client/call'
import { type ConclaveError, Lane } from '@conclave/core'
import { type DeviceSource, openDevice } from './devices.ts'
import { PageError, shown } from './pageError.ts'
import { Store } from './store.ts'

export type LocalSourceState =
  | { readonly kind: 'off' | 'starting' }
  | { readonly kind: 'on'; readonly track: MediaStreamTrack }
  | { readonly kind: 'failed'; readonly error: ConclaveError }

/** Bits a second. */
const maxBitrate = { camera: 500_000, microphone: 40_000 } satisfies Record<DeviceSource, number>

/**
 * One's own camera or microphone: the device, and what is published of it. A camera that is off is
 * released, so that its light goes out; a muted microphone stays open and sends nothing.
 */
export class LocalSource {
  readonly source: DeviceSource
  readonly state = new Store<LocalSourceState>({ kind: 'off' })
  readonly #lane = new Lane()
  #track: MediaStreamTrack | undefined
  #call: Call | undefined
  #publication: Publication | undefined
  #closed = false

  constructor(source: DeviceSource) {
    this.source = source
  }

  /** Begins with what the user has been asked for already. */
  begin(opened: MediaStreamTrack | PageError): Promise<void> {
    return this.#lane.run(async () => {
      if (opened instanceof PageError) this.state.set({ kind: 'failed', error: opened })
      else this.#take(opened)
      await this.#send()
    })
  }

  /** Publishes over this call from now on. */
  connect(call: Call): Promise<void> {
    return this.#lane.run(async () => {
      this.#call = call
      this.#publication = undefined
      await this.#send()
    })
  }

  turnOn(): Promise<void> {
    return this.#lane.run(async () => {
      if (this.#closed || this.state.value.kind === 'on') return
      this.state.set({ kind: 'starting' })
      try {
        this.#take(this.#track ?? (await openDevice(this.source)))
      } catch (error) {
        this.state.set({ kind: 'failed', error: shown(error) })
        return
      }
      await this.#send()
    })
  }

  turnOff(): Promise<void> {
    return this.#lane.run(async () => {
      if (this.state.value.kind !== 'on') return
      this.state.set({ kind: 'off' })
      if (this.#track !== undefined) this.#track.enabled = false
      if (this.source === 'camera') this.#release()
      await this.#publication?.pause().catch(() => this.#forgetPublication())
    })
  }

  /** The user has read why it failed. */
  dismiss(): void {
    if (this.state.value.kind === 'failed') this.state.set({ kind: 'off' })
  }

  /** The call gave the publication up. */
  publicationEnded(error: unknown): void {
    this.#publication = undefined
    if (error !== undefined) this.#fail(shown(error))
  }

  close(): void {
    this.#closed = true
    this.#release()
    this.state.set({ kind: 'off' })
  }

  #take(track: MediaStreamTrack): void {
    if (this.#closed) {
      track.stop()
      return
    }
    if (track !== this.#track) {
      track.addEventListener('ended', () => this.#lost(track), { once: true })
      this.#track = track
    }
    track.enabled = true
    this.state.set({ kind: 'on', track })
  }

  async #send(): Promise<void> {
    const call = this.#call
    const { value } = this.state
    if (call === undefined || call.closed || value.kind !== 'on') return
    const { track } = value
    try {
      if (this.#publication === undefined) {
        const { source } = this
        this.#publication = await call.publish(track, {
          source,
          encodings: [{ maxBitrate: maxBitrate[source] }],
        })
      } else {
        if (this.#publication.track !== track) await this.#publication.replaceTrack(track)
        await this.#publication.resume()
      }
    } catch (error) {
      // A call that was lost meanwhile is followed by another one, which takes the track.
      if (!call.closed) this.#fail(shown(error))
    }
  }

  #lost(track: MediaStreamTrack): void {
    if (track !== this.#track) return
    this.#forgetPublication()
    this.#fail(
      new PageError('device-lost', `the ${this.source} is gone`, {
        remedy: 'Connect it again, then turn it on here.',
      }),
    )
  }

  #fail(error: ConclaveError): void {
    this.#release()
    this.state.set({ kind: 'failed', error })
  }

  #forgetPublication(): void {
    const publication = this.#publication
    this.#publication = undefined
    publication?.close().catch(() => {})
  }

  #release(): void {
    this.#track?.stop()
    this.#track = undefined
  }
}
