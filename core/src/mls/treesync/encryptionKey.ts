import { type Bytes, toHex } from '../../codec/bytes.ts'
import { type CipherSuite, cipherSuites } from '../../crypto/public/cipherSuite.ts'

/**
 * X25519's points whose order divides 8, by their u coordinate: 0, 1, the two of order 8, -1, and
 * then 0 and 1 with the field's prime added. The top bit of a coordinate means nothing (RFC 7748 §5).
 */
const smallOrderX25519 = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
])

const canSealTo: Readonly<Record<CipherSuite['kem'], (key: Bytes) => boolean>> = {
  X25519: (key) => {
    if (key.length !== 32) return false
    const coordinate = key.slice()
    coordinate[31] = (coordinate[31] as number) & 0x7f
    return !smallOrderX25519.has(toHex(coordinate))
  },
}

/**
 * Whether a path secret or a Welcome can be sealed to `key` at all (RFC 9420 §5.1.1). Everyone has
 * to ask before such a key gets into the tree: afterwards nobody below whose path it stands could
 * commit any more.
 */
export function isEncryptionKey(cipherSuite: number, key: Bytes): boolean {
  const suite = cipherSuites.get(cipherSuite)
  return suite !== undefined && canSealTo[suite.kem](key)
}
