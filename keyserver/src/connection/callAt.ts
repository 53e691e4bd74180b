import type { Clock } from '@conclave/core'

/** A timer of the platform takes 2^31 ms at most; 24 days. */
const longestMs = 2 ** 30

/**
 * Calls back at a time, however far off.
 * @param at milliseconds since the Unix epoch; what is past is called back at once
 * @returns cancels it
 */
export function callAt(clock: Clock, at: number, callback: () => void): () => void {
  let cancel = (): void => {}
  const wait = (): void => {
    const left = at - clock.now()
    cancel =
      left > longestMs
        ? clock.setTimer(longestMs, wait)
        : clock.setTimer(Math.max(0, left), callback)
  }
  wait()
  return () => cancel()
}
