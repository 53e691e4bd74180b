import { systemClock } from '@conclave/client'
import { createWorkerFrameCryptor, type FrameCryptor } from '@conclave/client/media'

/**
 * A fault: with each epoch everybody's old keys are gone at once, as only those of somebody who was
 * removed may be.
 */
export function forgetfulFrameCryptor(): FrameCryptor {
  const cryptor = createWorkerFrameCryptor({ clock: systemClock })
  return {
    installEpoch: (keys) => cryptor.installEpoch({ ...keys, removedLeaves: keys.leaves }),
    protect: (sender, options) => cryptor.protect(sender, options),
    unprotect: (receiver, options) => cryptor.unprotect(receiver, options),
    stats: () => cryptor.stats(),
    close: () => cryptor.close(),
  }
}
