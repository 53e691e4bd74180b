/**
 * What sessions and ordering logic may ask of the outside world.
 *
 * Both are parameters so that a test or a simulator can replay a run exactly; lint forbids the
 * globals everywhere but at the edge.
 */

/** Time in milliseconds since the Unix epoch, and one-shot timers. */
export interface Clock {
  now(): number
  /**
   * Runs `callback` once after `delayMs`, or as soon as it can where that is negative; the returned
   * function cancels it and may be called twice.
   */
  setTimer(delayMs: number, callback: () => void): () => void
}

/** `length` bytes from a cryptographically secure source. */
export type RandomBytes = (length: number) => Uint8Array<ArrayBuffer>
