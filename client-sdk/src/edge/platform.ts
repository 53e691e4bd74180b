import type { Clock, RandomBytes } from '@conclave/core'
import { type SecretCrypto, webCrypto } from '@conclave/core/crypto/secret'

/** The clock, randomness and cryptography of the browser or of Node. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.max(0, delayMs))
    return () => clearTimeout(timer)
  },
}

export const systemRandom: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length))

export function platformCrypto(random: RandomBytes): SecretCrypto {
  return webCrypto(crypto.subtle, random)
}
