import { Store } from './store.ts'

/** Plays the others' sound; browsers may hold it back until the user has done something. */
export class Playback {
  readonly blocked = new Store(false)
  readonly #waiting = new Set<HTMLAudioElement>()

  play(element: HTMLAudioElement): void {
    element.play().then(
      () => this.#forget(element),
      (error: unknown) => {
        // Anything else means that the track has gone or been replaced.
        if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return
        this.#waiting.add(element)
        this.blocked.set(true)
      },
    )
  }

  stop(element: HTMLAudioElement): void {
    element.srcObject = null
    this.#forget(element)
  }

  /** To be called while the browser handles something that the user did. */
  resume(): void {
    for (const element of [...this.#waiting]) this.play(element)
  }

  #forget(element: HTMLAudioElement): void {
    this.#waiting.delete(element)
    if (this.#waiting.size === 0) this.blocked.set(false)
  }
}
