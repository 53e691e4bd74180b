import { type Bytes, toHex } from '@conclave/core/codec'
import type { EpochKeys, FrameCryptor } from '../../../client-sdk/src/media/frameCryptor.ts'

/** Told of every key that a frame cryptor is given. */
export type KeyListener = (cryptor: object, key: InstalledKey) => void

export interface InstalledKey {
  readonly epoch: bigint
  /** Hexadecimal. */
  readonly baseKey: string
  readonly ownLeaf: number
  readonly incarnation: number
}

/** A frame cryptor that says which keys it would count frames with, from 0 on. */
export function recordedCryptor(installed: KeyListener): FrameCryptor {
  const cryptor: FrameCryptor = {
    installEpoch({ epoch, baseKey, ownLeaf, incarnation }: EpochKeys) {
      const key = { epoch, baseKey: toHex(baseKey as Bytes), ownLeaf, incarnation }
      baseKey.fill(0)
      installed(cryptor, key)
    },
    protect: async () => {},
    unprotect: async () => {},
    stats: async () => ({ senders: [], receivers: [] }),
    close: () => {},
  }
  return cryptor
}
