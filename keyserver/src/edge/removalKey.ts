import { createPrivateKey } from 'node:crypto'
import type { Bytes } from '@conclave/core/codec'

/** The PKCS #8 key of a PEM file; undefined where that has no Ed25519 private key. */
export function readRemovalKey(pem: string): Bytes | undefined {
  try {
    const key = createPrivateKey(pem)
    if (key.asymmetricKeyType !== 'ed25519') return undefined
    return new Uint8Array(key.export({ format: 'der', type: 'pkcs8' }))
  } catch {
    return undefined
  }
}
