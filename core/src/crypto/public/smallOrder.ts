import { type Bytes, fromHex } from '../../codec/bytes.ts'

/**
 * Points that no party may use, because they undo what a key is for: a signature key of small order
 * accepts signatures that nobody made, and a shared secret with one is zero whatever the other key.
 * Platforms disagree about them (OpenSSL 3.5 refuses some signatures that OpenSSL 3.0 and Chromium
 * accept), so a single message could split a group: here they are refused before a platform sees them.
 */

type MontgomeryCurve = 'X25519' | 'X448'
type EdwardsCurve = 'Ed25519' | 'Ed448'

const prime25519 = fromHex(`ed${'ff'.repeat(30)}7f`)
const prime448 = fromHex(`${'ff'.repeat(28)}fe${'ff'.repeat(27)}`)

const hexes = (...list: readonly string[]): readonly Bytes[] => list.map(fromHex)

/**
 * Little-endian coordinates: u, or y, of the points whose order divides the cofactor. X25519 and
 * X448 take u unreduced (RFC 7748 §5), so there they stand once more with the prime added.
 */
const smallOrderCoordinates: Readonly<Record<MontgomeryCurve | EdwardsCurve, readonly Bytes[]>> = {
  // 0, 1, two of order 8, -1, p, p + 1
  X25519: hexes(
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    `ec${'ff'.repeat(30)}7f`,
    `ed${'ff'.repeat(30)}7f`,
    `ee${'ff'.repeat(30)}7f`,
  ),
  // 0, 1, -1, p, p + 1
  X448: hexes(
    '00'.repeat(56),
    `01${'00'.repeat(55)}`,
    `fe${'ff'.repeat(27)}fe${'ff'.repeat(27)}`,
    `${'ff'.repeat(28)}fe${'ff'.repeat(27)}`,
    `${'00'.repeat(28)}${'ff'.repeat(28)}`,
  ),
  // 1, 0, those of order 8, -1
  Ed25519: hexes(
    `01${'00'.repeat(31)}`,
    '00'.repeat(32),
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    `ec${'ff'.repeat(30)}7f`,
  ),
  // 1, 0, -1
  Ed448: hexes(
    `01${'00'.repeat(56)}`,
    '00'.repeat(57),
    `fe${'ff'.repeat(27)}fe${'ff'.repeat(27)}00`,
  ),
}

/** The bits of the last byte that belong to the coordinate. */
const lastByteMask = { X25519: 0x7f, X448: 0xff, Ed25519: 0x7f, Ed448: 0x7f } as const

/** Whether a Montgomery key of the right length is one whose shared secrets are all zero. */
export function isSmallOrder(curve: MontgomeryCurve, key: Uint8Array): boolean {
  return hasSmallOrderCoordinate(curve, key)
}

/**
 * Whether an encoding of the right length is the only one of its point (RFC 8032 §5.1.3, §5.2.3), and
 * the point is not of small order. Whether there is such a point is for the platform to find out.
 */
export function isProperEdwardsPoint(curve: EdwardsCurve, point: Uint8Array): boolean {
  return isReduced(curve, point) && !hasSmallOrderCoordinate(curve, point)
}

function hasSmallOrderCoordinate(curve: MontgomeryCurve | EdwardsCurve, key: Uint8Array): boolean {
  const last = key.length - 1
  const mask = lastByteMask[curve]
  return smallOrderCoordinates[curve].some((coordinate) => {
    for (let i = 0; i < last; i++) if (coordinate[i] !== key[i]) return false
    return coordinate[last] === ((key[last] as number) & mask)
  })
}

/** Whether the coordinate is below the field's prime, so that it is in its only encoding. */
function isReduced(curve: EdwardsCurve, point: Uint8Array): boolean {
  const prime = curve === 'Ed25519' ? prime25519 : prime448
  const last = point.length - 1
  for (let i = last; i >= 0; i--) {
    const byte = (point[i] as number) & (i === last ? lastByteMask[curve] : 0xff)
    const limit = prime[i] ?? 0
    if (byte !== limit) return byte < limit
  }
  return false
}
