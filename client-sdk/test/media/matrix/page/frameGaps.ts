/** How long a picture stands still at most. */
export class FrameGaps {
  #lastMs: number | undefined
  #longestMs = 0

  watch(video: HTMLVideoElement): void {
    video.requestVideoFrameCallback((_now, { presentationTime }) => {
      if (this.#lastMs !== undefined) {
        this.#longestMs = Math.max(this.#longestMs, presentationTime - this.#lastMs)
      }
      this.#lastMs = presentationTime
      this.watch(video)
    })
  }

  /** The longest gap since this was asked last, in milliseconds, one that goes on included. */
  takeLongest(): number {
    const openMs = performance.now() - (this.#lastMs ?? 0)
    const longestMs = Math.max(this.#longestMs, openMs)
    this.#longestMs = 0
    return longestMs
  }
}
