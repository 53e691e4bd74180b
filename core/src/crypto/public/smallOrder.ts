import { toHex } from '../../codec/bytes.ts'

const signBit = 0x80

/**
 * The y coordinates of Ed25519's points whose order divides 8, little-endian and without the sign
 * bit: 1, 0, those of the points of order 8, -1, and then 0 and 1 with the field's prime added.
 */
const smallOrderCoordinates = new Set([
  `01${'00'.repeat(31)}`,
  '00'.repeat(32),
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
])

/**
 * Whether an encoded Ed25519 point has small order. Such a public key accepts signatures that
 * nobody made, and platforms disagree about them: OpenSSL 3.5 refuses, OpenSSL 3.0 and Chromium
 * accept, so a single message could split a group.
 */
export function isSmallOrder(point: Uint8Array): boolean {
  const coordinate = Uint8Array.from(point)
  coordinate[31] = (coordinate[31] ?? 0) & ~signBit
  return smallOrderCoordinates.has(toHex(coordinate))
}
