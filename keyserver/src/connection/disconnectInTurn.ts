import type { Clock } from '@conclave/core'

interface Disconnecting {
  disconnect(close: true): unknown
}

/** Groups that clients are cut in. */
const partings = 20

/** Cuts connections a few at a time, so that their clients do not all come to others at once. */
export async function disconnectInTurn(
  sockets: readonly Disconnecting[],
  overMs: number,
  clock: Clock,
): Promise<void> {
  const together = Math.ceil(sockets.length / partings)
  for (let first = 0; first < sockets.length; first += together) {
    for (const socket of sockets.slice(first, first + together)) socket.disconnect(true)
    await new Promise<void>((resolve) => clock.setTimer(overMs / partings, resolve))
  }
}
