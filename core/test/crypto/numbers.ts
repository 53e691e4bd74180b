import { type Bytes, fromHex, toHex } from '@conclave/core/codec'
import { p256, p384, p521 } from '@noble/curves/nist.js'

export const nistCurves = { 'P-256': p256, 'P-384': p384, 'P-521': p521 } as const

export function bigEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes)}`)
}

export function littleEndian(bytes: Uint8Array): bigint {
  return bigEndian(bytes.toReversed())
}

export function toBigEndian(value: bigint, length: number): Bytes {
  return fromHex(value.toString(16).padStart(2 * length, '0'))
}

export function toLittleEndian(value: bigint, length: number): Bytes {
  return toBigEndian(value, length).reverse()
}
