import type { Call, RemoteTrack } from '@conclave/client/call'
import { Store } from './store.ts'

export interface RemoteSource {
  readonly track: MediaStreamTrack
  readonly paused: boolean
}

/** What one participant sends. */
export interface RemoteSources {
  readonly camera?: RemoteSource
  readonly microphone?: RemoteSource
  /** Why something of theirs could not be received. */
  readonly failure?: string
}

/** What the others send over a call, by leaf. */
export class RemoteMedia {
  readonly sources = new Store<ReadonlyMap<number, RemoteSources>>(new Map())

  /** Shows what this call receives, and nothing of an earlier one. */
  connect(call: Call): void {
    this.sources.set(new Map())
    call.on('track', (remote) => this.#put(remote, false))
    call.on('trackPaused', (remote) => this.#put(remote, true))
    call.on('trackResumed', (remote) => this.#put(remote, false))
    call.on('trackEnded', (remote) => this.#remove(remote))
    call.on('trackFailed', ({ leaf, error }) => {
      this.#change(leaf, { failure: 'code' in error ? String(error.code) : error.message })
    })
    call.on('closed', () => this.sources.set(new Map()))
  }

  #put({ participant, source, track }: RemoteTrack, paused: boolean): void {
    if (source !== 'camera' && source !== 'microphone') return
    this.#change(participant.leaf, { [source]: { track, paused } })
  }

  #remove({ participant, source, track }: RemoteTrack): void {
    const { leaf } = participant
    const known = this.sources.value.get(leaf)
    if (known === undefined || (source !== 'camera' && source !== 'microphone')) return
    if (known[source]?.track !== track) return
    const { [source]: _, ...rest } = known
    this.sources.set(new Map(this.sources.value).set(leaf, rest))
  }

  #change(leaf: number, change: RemoteSources): void {
    const { failure: _, ...known } = this.sources.value.get(leaf) ?? {}
    this.sources.set(new Map(this.sources.value).set(leaf, { ...known, ...change }))
  }
}
