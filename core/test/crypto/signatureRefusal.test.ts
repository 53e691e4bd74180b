import { type Bytes, concatBytes, emptyBytes, fromHex, toHex, utf8 } from '@conclave/core/codec'
import { Secret, type Signer } from '@conclave/core/crypto/secret'
import { ed448 } from '@noble/curves/ed448.js'
import { ed25519 } from '@noble/curves/ed25519.js'
import { p521 } from '@noble/curves/nist.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { shake256 } from '@noble/hashes/sha3.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bigEndian, littleEndian, nistCurves, toBigEndian, toLittleEndian } from './numbers.ts'
import { everySuite, seededRandom, suiteIds, suiteWith } from './suite.ts'

/*
 * What one platform takes and another refuses splits a group. So each provider gives the same verdict
 * on whatever a peer can send.
 */

const message = utf8('message')

async function verdicts(id: number, publicKey: Uint8Array, signature: Uint8Array) {
  const given: boolean[] = []
  for (const [, suite] of everySuite(id)) {
    given.push(await suite.verify(publicKey, message, signature))
    const [one] = await suite.verifyAll([{ publicKey, message, signature }])
    given.push(one === true)
  }
  return [...new Set(given)]
}

async function signed(id: number): Promise<{ signer: Signer; signature: Bytes }> {
  const signer = await suiteWith(seededRandom('signer'), id).generateSigner()
  return { signer, signature: await signer.sign(message) }
}

describe.each([
  [1, 'Ed25519', ed25519, (bytes: Bytes) => sha512(bytes)],
  [
    4,
    'Ed448',
    ed448,
    // RFC 8032 §5.2: dom4 with no context.
    (bytes: Bytes) =>
      shake256(concatBytes(utf8('SigEd448'), fromHex('0000'), bytes), { dkLen: 114 }),
  ],
] as const)('suite %i: a signature by %s', (id, _, curve, challengeHash) => {
  const { Point } = curve
  const order = Point.Fn.ORDER
  const prime = Point.Fp.ORDER
  const size = id === 1 ? 32 : 57

  it('of another length, or under a key of another length, is false', async () => {
    const { signer, signature } = await signed(id)
    expect(await verdicts(id, signer.publicKey, signature)).toEqual([true])
    const longer = concatBytes(signature, fromHex('00'))
    for (const other of [emptyBytes, signature.subarray(1), signature.subarray(0, -1), longer]) {
      expect(await verdicts(id, signer.publicKey, other)).toEqual([false])
    }
    const longerKey = concatBytes(signer.publicKey, fromHex('00'))
    for (const key of [emptyBytes, signer.publicKey.subarray(0, -1), longerKey]) {
      expect(await verdicts(id, key, signature)).toEqual([false])
    }
  })

  it('with s not reduced modulo the order is false', async () => {
    const { signer, signature } = await signed(id)
    const s = littleEndian(signature.subarray(size)) + order
    const twin = concatBytes(signature.subarray(0, size), toLittleEndian(s, size))
    expect(await verdicts(id, signer.publicKey, twin)).toEqual([false])
  })

  it('with a point that is not reduced, or of small order, is false', async () => {
    const { signer, signature } = await signed(id)
    const coordinates = [0n, 1n, prime - 1n, prime, prime + 1n, prime + 2n, prime + 3n]
    for (const y of coordinates) {
      for (const sign of [0, 0x80]) {
        const point = toLittleEndian(y, size)
        point[size - 1] = (point[size - 1] as number) | sign
        // With s = 0, R of small order satisfies the equation under a key of small order.
        const zero = concatBytes(point, new Uint8Array(size))
        expect(await verdicts(id, point, zero)).toEqual([false])
        const swapped = concatBytes(point, signature.subarray(size))
        expect(await verdicts(id, signer.publicKey, swapped)).toEqual([false])
      }
    }
  })

  it('made with points of mixed order is the same everywhere', async () => {
    const random = seededRandom(`torsion ${id}`)
    const torsion = torsionPoints()
    const seen = new Set<boolean>()
    for (const ofKey of torsion) {
      for (const ofR of torsion) {
        const a = littleEndian(random(size)) % order
        const r = littleEndian(random(size)) % order
        const A = Point.BASE.multiply(a).add(ofKey).toBytes()
        const R = Point.BASE.multiply(r).add(ofR).toBytes()
        const k = littleEndian(challengeHash(concatBytes(R, A, message))) % order
        const signature = concatBytes(R, toLittleEndian((r + k * a) % order, size))
        const given = await verdicts(id, A, signature)
        expect(given).toHaveLength(1)
        const [verdict = false] = given
        seen.add(verdict)
        // noble's own check multiplies by the cofactor on both curves.
        expect(curve.verify(signature, message, A)).toBe(true)
      }
    }
    // Ed25519 is checked without the cofactor, Ed448 with it.
    expect([...seen].toSorted()).toEqual(id === 1 ? [false, true] : [true])
  })

  /** All points whose order divides the cofactor: multiples by the order of points found by trial. */
  function torsionPoints() {
    const found = new Map<string, typeof Point.BASE>()
    const cofactor = id === 1 ? 8 : 4
    for (let y = 2n; found.size < cofactor; y++) {
      try {
        const point = Point.fromBytes(toLittleEndian(y, size))
        const small = point.multiplyUnsafe(order - 1n).add(point)
        for (let i = 0, next = small; i < cofactor; i++, next = next.add(small)) {
          found.set(toHex(next.toBytes()), next)
        }
      } catch {}
    }
    return [...found.values()]
  }
})

describe.each([2, 5, 7] as const)('suite %i: an ECDSA signature', (id) => {
  const { signature: name, Nsk } = suiteWith(seededRandom(''), id).suite
  const curve = nistCurves[name as keyof typeof nistCurves]
  const order = curve.Point.Fn.ORDER

  /** DER of an integer, with `padding` zeros more than it needs. */
  function integer(value: bigint, padding = 0): Bytes {
    let hex = value.toString(16)
    if (hex.length % 2 === 1) hex = `0${hex}`
    if (Number.parseInt(hex.slice(0, 2), 16) > 0x7f) hex = `00${hex}`
    return tagged(0x02, fromHex('00'.repeat(padding) + hex))
  }

  function tagged(tag: number, content: Uint8Array): Bytes {
    const { length } = content
    const header = length < 128 ? [tag, length] : [tag, 0x81, length]
    return concatBytes(Uint8Array.from(header), content)
  }

  const sequence = (...items: Uint8Array[]) => tagged(0x30, concatBytes(...items))

  it('holds with either of the two values of s', async () => {
    const { signer, signature } = await signed(id)
    const { r, s } = curve.Signature.fromBytes(signature, 'der')
    const own = await verdicts(id, signer.publicKey, sequence(integer(r), integer(s)))
    const twin = await verdicts(id, signer.publicKey, sequence(integer(r), integer(order - s)))
    expect([own, twin]).toEqual([[true], [true]])
  })

  it('that is BER but not DER, or has other numbers, is false', async () => {
    const { signer, signature } = await signed(id)
    const { r, s } = curve.Signature.fromBytes(signature, 'der')
    const content = concatBytes(integer(r), integer(s))
    const long = Uint8Array.of(0x30, 0x82, 0, content.length)
    const cases: Record<string, Uint8Array> = {
      empty: emptyBytes,
      'an empty sequence': sequence(),
      'one number': sequence(integer(r)),
      'three numbers': sequence(integer(r), integer(s), integer(s)),
      'a byte behind it': concatBytes(signature, fromHex('00')),
      'a byte inside of it': sequence(integer(r), integer(s), fromHex('00')),
      truncated: signature.subarray(0, -1),
      'r ‖ s': concatBytes(toBigEndian(r, Nsk), toBigEndian(s, Nsk)),
      'a length that is not minimal': concatBytes(long, content),
      'an indefinite length': concatBytes(fromHex('3080'), content, fromHex('0000')),
      'r padded': sequence(integer(r, 1), integer(s)),
      's padded': sequence(integer(r), integer(s, 1)),
      'r negative': sequence(tagged(2, fromHex('ff')), integer(s)),
      'r without bytes': sequence(tagged(2, emptyBytes), integer(s)),
      'r zero': sequence(integer(0n), integer(s)),
      's zero': sequence(integer(r), integer(0n)),
      'r not reduced': sequence(integer(r + order), integer(s)),
      's not reduced': sequence(integer(r), integer(s + order)),
      'r the order': sequence(integer(order), integer(s)),
      'a set': tagged(0x31, content),
    }
    for (const [title, bytes] of Object.entries(cases)) {
      expect(await verdicts(id, signer.publicKey, bytes), title).toEqual([false])
    }
  })

  it('under a key that is no uncompressed point is false', async () => {
    const { signer, signature } = await signed(id)
    const key = signer.publicKey
    const x = key.subarray(1, 1 + Nsk)
    const y = key.subarray(1 + Nsk)
    const four = fromHex('04')
    const cases: Record<string, Uint8Array> = {
      empty: emptyBytes,
      'the identity': fromHex('00'),
      'the identity at full length': new Uint8Array(key.length),
      'the origin': concatBytes(four, new Uint8Array(2 * Nsk)),
      compressed: curve.Point.fromBytes(key).toBytes(true),
      hybrid: concatBytes(Uint8Array.of(6 + ((y.at(-1) as number) & 1)), x, y),
      'without a prefix': key.subarray(1),
      truncated: key.subarray(0, -1),
      'off the curve': concatBytes(four, x, y.with(-1, (y.at(-1) as number) ^ 1)),
    }
    for (const [title, bytes] of Object.entries(cases)) {
      expect(await verdicts(id, bytes, signature), title).toEqual([false])
    }
  })
})

describe('an ECDSA key with a coordinate that is not reduced', () => {
  it('verifies nothing on P-521, whose encoding has room for one', async () => {
    const { signer, signature } = await signed(5)
    const x = bigEndian(signer.publicKey.subarray(1, 67)) + p521.Point.Fp.ORDER
    const key = concatBytes(fromHex('04'), toBigEndian(x, 66), signer.publicKey.subarray(67))
    expect(await verdicts(5, signer.publicKey, signature)).toEqual([true])
    expect(await verdicts(5, key, signature)).toEqual([false])
  })
})

describe('a signature changed at random', () => {
  it.each([1, 2, 4, 7])('has one verdict in suite %i', async (id) => {
    const { signer, signature } = await signed(id)
    const at = fc.nat({ max: signature.length - 1 })
    await fc.assert(
      fc.asyncProperty(at, fc.integer({ min: 1, max: 255 }), fc.boolean(), async (i, flip, cut) => {
        const changed = signature.with(i, (signature[i] as number) ^ flip)
        const input = cut ? changed.subarray(0, i) : changed
        expect(await verdicts(id, signer.publicKey, input)).toEqual([false])
      }),
      { numRuns: 15 },
    )
  })
})

describe('a private signature key', () => {
  const invalid = expect.objectContaining({ name: 'CryptoError', code: 'crypto-invalid-key' })

  it.each(suiteIds)('of another size is refused in suite %i', async (id) => {
    for (const [name, suite] of everySuite(id)) {
      for (const length of [0, 31, 33, 47, 49, 55, 65, 67]) {
        const key = new Secret(new Uint8Array(length).fill(1))
        await expect(suite.importSigner(key), name).rejects.toEqual(invalid)
      }
    }
  })

  it.each([2, 5, 7])('that is zero or not below the order is refused in suite %i', async (id) => {
    for (const [name, suite] of everySuite(id)) {
      const { Nsk, signature } = suite.suite
      const { ORDER } = nistCurves[signature as keyof typeof nistCurves].Point.Fn
      for (const scalar of [0n, ORDER, ORDER + 1n]) {
        const key = new Secret(toBigEndian(scalar, Nsk))
        await expect(suite.importSigner(key), name).rejects.toEqual(invalid)
      }
      const largest = await suite.importSigner(new Secret(toBigEndian(ORDER - 1n, Nsk)))
      expect(await suite.verify(largest.publicKey, message, await largest.sign(message))).toBe(true)
    }
  })
})
