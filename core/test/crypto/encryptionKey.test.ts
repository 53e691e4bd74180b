import { type Bytes, concatBytes, emptyBytes, fromHex, toHex, utf8 } from '@conclave/core/codec'
import { isEncryptionKey } from '@conclave/core/crypto/public'
import { Secret } from '@conclave/core/crypto/secret'
import { describe, expect, it } from 'vitest'
import { littleEndian, nistCurves, toBigEndian, toLittleEndian } from './numbers.ts'
import { everySuite, seededRandom, suiteIds, suiteWith } from './suite.ts'

const message = utf8('message')
const cryptoError = (code: string) => expect.objectContaining({ name: 'CryptoError', code })

const prime25519 = 2n ** 255n - 19n
const prime448 = 2n ** 448n - 2n ** 224n - 1n

/** Keys that nobody can seal to, by suite. */
function unusableKeys(id: number): readonly Bytes[] {
  const { kem, Npk, Nsk } = suiteWith(seededRandom(''), id).suite
  const lengths = [0, 1, 31, 33, 55, 57, 64, 66, Npk - 1, Npk + 1].filter((n) => n !== Npk)
  const wrong = lengths.map((length) => new Uint8Array(length).fill(4))
  if (kem === 'X25519') {
    const eighths = [
      'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
      '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    ].map((hex) => littleEndian(fromHex(hex)))
    const p = prime25519
    const low = [0n, 1n, ...eighths, p - 1n, p, p + 1n].flatMap((u) => [u, u + 2n ** 255n])
    return [...wrong, ...low.map((u) => toLittleEndian(u, 32))]
  }
  if (kem === 'X448') {
    const p = prime448
    return [...wrong, ...[0n, 1n, p - 1n, p, p + 1n].map((u) => toLittleEndian(u, 56))]
  }
  const { Point } = nistCurves[kem]
  const prime = Point.Fp.ORDER
  const base = Point.BASE.toAffine()
  const point = (x: bigint, y: bigint) =>
    concatBytes(fromHex('04'), toBigEndian(x, Nsk), toBigEndian(y, Nsk))
  const small = smallPoint(kem)
  const compressed = Point.BASE.toBytes(true)
  return [
    ...wrong,
    new Uint8Array(Npk),
    point(0n, 0n),
    point(base.x, base.y + 1n),
    point(small.x + prime, small.y),
    Uint8Array.from(compressed),
    point(base.x, base.y).with(0, 6 + Number(base.y & 1n)),
    point(base.x, base.y).with(0, 7 - Number(base.y & 1n)),
  ].map((bytes) => Uint8Array.from(bytes))
}

/** A point whose x has room for the prime to be added. */
function smallPoint(name: keyof typeof nistCurves): { x: bigint; y: bigint } {
  const { Point } = nistCurves[name]
  const size = Point.Fp.BYTES
  for (let x = 1n; ; x++) {
    try {
      return Point.fromBytes(concatBytes(fromHex('02'), toBigEndian(x, size))).toAffine()
    } catch {}
  }
}

describe.each(suiteIds)('suite %i: an encryption key', (id) => {
  it('that nobody can seal to is refused by everyone', async () => {
    const keys = unusableKeys(id)
    for (const [name, suite] of everySuite(id)) {
      const own = await suite.deriveKeyPair(new Secret(new Uint8Array(suite.suite.Nh)))
      const { ciphertext } = await suite.hpkeSeal(own.publicKey, emptyBytes, message)
      for (const key of keys) {
        const title = `${name} ${toHex(key)}`
        expect(isEncryptionKey(id, key), title).toBe(false)
        const invalid = cryptoError('crypto-invalid-key')
        await expect(suite.hpkeSeal(key, emptyBytes, message), title).rejects.toEqual(invalid)
        await expect(
          suite.hpkeSealAll(emptyBytes, [
            { publicKey: own.publicKey, plaintext: message },
            { publicKey: key, plaintext: message },
          ]),
          title,
        ).rejects.toEqual(invalid)
        await expect(suite.hpkeSealExport(key, emptyBytes, emptyBytes, 32), title).rejects.toEqual(
          invalid,
        )
        const failed = cryptoError('crypto-open-failed')
        const sealed = { kemOutput: key, ciphertext }
        await expect(suite.hpkeOpen(own, emptyBytes, sealed), title).rejects.toEqual(failed)
        await expect(
          suite.hpkeOpenExport(own, key, emptyBytes, emptyBytes, 32),
          title,
        ).rejects.toEqual(failed)
      }
    }
  })

  it('with a private half that is none opens nothing', async () => {
    for (const [name, suite] of everySuite(id)) {
      const own = await suite.deriveKeyPair(new Secret(new Uint8Array(suite.suite.Nh)))
      const sealed = await suite.hpkeSeal(own.publicKey, emptyBytes, message)
      for (const length of [0, 31, 33, 65]) {
        const key = { ...own, privateKey: new Secret(new Uint8Array(length).fill(1)) }
        await expect(suite.hpkeOpen(key, emptyBytes, sealed), name).rejects.toEqual(
          cryptoError('crypto-open-failed'),
        )
      }
    }
  })
})

describe('a Montgomery key that is not reduced', () => {
  // RFC 7748 §5: taken modulo the prime, and on X25519 without the top bit.
  it.each([
    [1, [prime25519 + 9n, 2n ** 255n + 9n]],
    [4, [prime448 + 5n]],
  ] as const)('in suite %i is the key that it reduces to, everywhere', async (id, coordinates) => {
    for (const u of coordinates) {
      const opened = new Set<string>()
      for (const [, suite] of everySuite(id)) {
        const kemOutput = toLittleEndian(u, suite.suite.Npk)
        expect(isEncryptionKey(id, kemOutput)).toBe(true)
        const own = await suite.deriveKeyPair(new Secret(new Uint8Array(suite.suite.Nh)))
        const exported = await suite.hpkeOpenExport(own, kemOutput, emptyBytes, emptyBytes, 32)
        opened.add(toHex(exported.expose()))
        const { kemOutput: output, ciphertext } = await suite.hpkeSeal(
          kemOutput,
          emptyBytes,
          message,
        )
        opened.add(toHex(output) + toHex(ciphertext))
      }
      expect(opened.size).toBe(2)
    }
  })
})

describe('isEncryptionKey', () => {
  it.each(suiteIds)('holds for the keys of suite %i', async (id) => {
    const suite = suiteWith(seededRandom('keys'), id)
    for (let i = 0; i < 20; i++) {
      const { publicKey } = await suite.deriveKeyPair(new Secret(new Uint8Array(32).fill(i)))
      expect(isEncryptionKey(id, publicKey)).toBe(true)
      expect(publicKey).toHaveLength(suite.suite.Npk)
    }
  })

  it('holds for no key of a suite that does not exist', () => {
    expect(isEncryptionKey(8, new Uint8Array(32).fill(9))).toBe(false)
  })
})
