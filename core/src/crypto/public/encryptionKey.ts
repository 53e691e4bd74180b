import { type CipherSuite, cipherSuites, isNist } from './cipherSuite.ts'
import { nistCurves } from './nistCurves.ts'
import { isSmallOrder } from './smallOrder.ts'

/**
 * Whether a path secret or a Welcome can be sealed to `key` at all (RFC 9420 §5.1.1, RFC 9180
 * §7.1.4): an X25519 or X448 key that is not of small order, or an uncompressed point on its curve.
 * Everyone has to ask before such a key gets into the tree: afterwards nobody below whose path it
 * stands could commit any more. Takes microseconds.
 */
export function isEncryptionKey(cipherSuite: number, key: Uint8Array): boolean {
  const suite = cipherSuites.get(cipherSuite)
  return suite !== undefined && canSealTo(suite, key)
}

export function canSealTo({ kem, Npk }: CipherSuite, key: Uint8Array): boolean {
  if (key.length !== Npk) return false
  if (!isNist(kem)) return !isSmallOrder(kem, key)
  try {
    nistCurves[kem].Point.fromBytes(key).assertValidity()
    return true
  } catch {
    return false
  }
}
