import { systemClock } from '@conclave/client'
import { createWorkerFrameCryptor, type FrameCryptor } from '@conclave/client/media'
import type { Probe } from './probe.ts'

/** The product's cryptor, except that the probe gets a copy of every base key that it is given. */
export function recordingFrameCryptor(probe: Probe): FrameCryptor {
  const cryptor = createWorkerFrameCryptor({
    clock: systemClock,
    createWorker: () =>
      new Worker(new URL('./recordingWorker.ts', import.meta.url), { type: 'module' }),
    onFailure: (error) => {
      throw error
    },
  })
  return {
    installEpoch: (keys) => {
      probe.takeKey(keys.epoch, keys.baseKey)
      cryptor.installEpoch(keys)
    },
    protect: (sender, options) => cryptor.protect(sender, options),
    unprotect: (receiver, options) => cryptor.unprotect(receiver, options),
    stats: () => cryptor.stats(),
    close: () => cryptor.close(),
  }
}
