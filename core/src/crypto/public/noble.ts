import { ed448 } from '@noble/curves/ed448.js'
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js'
import { type Bytes, concatBytes, equalBytes, plainBytes } from '../../codec/bytes.ts'
import { assemblePublicCrypto, type PublicPlatform } from './assemble.ts'
import type { CipherSuite } from './cipherSuite.ts'
import { nistCurves } from './nistCurves.ts'
import type { PublicCrypto, SignedBytes } from './publicSuite.ts'

export const nobleHashes = { 'SHA-256': sha256, 'SHA-384': sha384, 'SHA-512': sha512 } as const

/** Pure JavaScript by noble: for everywhere, and for what a platform has not. */
export const noblePublicPlatform: PublicPlatform = {
  hash: nobleHash,
  verify: (curve, signed) => {
    const { publicKey, message, signature } = signed
    if (curve === 'Ed25519') return verifyEd25519(signed)
    if (curve === 'Ed448') return ed448.verify(signature, message, publicKey, { zip215: false })
    return nistCurves[curve].verify(signature, message, publicKey, {
      lowS: false,
      format: 'der',
    })
  },
}

export function noblePublicCrypto(): PublicCrypto {
  return assemblePublicCrypto(noblePublicPlatform)
}

export function nobleHash({ hash }: CipherSuite, data: Uint8Array): Bytes {
  return plainBytes(nobleHashes[hash](data))
}

/**
 * RFC 8032 §5.1.7 without the cofactor, as OpenSSL, BoringSSL and WebCrypto check it. noble's own
 * `verify` multiplies by the cofactor, so it accepts more: whoever signed with a point of mixed
 * order could make one message valid for some members only. For Ed448 it is the other way round:
 * OpenSSL and noble both multiply.
 */
function verifyEd25519({ publicKey, message, signature }: SignedBytes): boolean {
  const { Point } = ed25519
  const R = signature.subarray(0, 32)
  const s = littleEndian(signature.subarray(32))
  if (s >= Point.Fn.ORDER) return false
  const k = littleEndian(sha512(concatBytes(R, publicKey, message))) % Point.Fn.ORDER
  const kA = Point.fromBytes(publicKey).multiplyUnsafe(k)
  return equalBytes(Point.BASE.multiplyUnsafe(s).subtract(kA).toBytes(), R)
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes.toReversed()) value = (value << 8n) | BigInt(byte)
  return value
}
