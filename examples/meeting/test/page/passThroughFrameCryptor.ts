import type { FrameCryptor } from '@conclave/client/media'

/** Attaches nothing, so media flows as it would without Conclave: what the encrypted run is measured against. */
export function passThroughFrameCryptor(): FrameCryptor {
  return {
    installEpoch: ({ baseKey }) => {
      baseKey.fill(0)
    },
    protect: async () => {},
    unprotect: async () => {},
    stats: async () => ({ senders: [], receivers: [] }),
    close: () => {},
  }
}
