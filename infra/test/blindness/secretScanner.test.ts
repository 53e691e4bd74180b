import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { inForm, secretForms, shortestSecret, stretchBytes } from './secretForms.ts'
import { SecretScanner } from './secretScanner.ts'

const someSecret = fc.uint8Array({ minLength: shortestSecret, maxLength: 70 })
const someText = fc.uint8Array({ maxLength: 200 })
const someForm = fc.constantFrom(...secretForms)
const someCuts = fc.array(fc.nat(600), { maxLength: 6 })

/** The text in pieces, which share one buffer. */
function* pieces(text: Uint8Array, cuts: readonly number[]): Generator<Uint8Array> {
  const shared = new Uint8Array(text.length)
  let from = 0
  for (const cut of [...cuts, text.length].sort((one, other) => one - other)) {
    const piece = text.subarray(from, cut)
    from = Math.max(from, Math.min(cut, text.length))
    shared.set(piece)
    yield shared.subarray(0, piece.length)
    shared.fill(0)
  }
}

function scannerFor(secret: Uint8Array): SecretScanner<string> {
  const scanner = new SecretScanner<string>()
  scanner.add(secret, 'the secret')
  return scanner
}

function search(secret: Uint8Array, text: Uint8Array, cuts: readonly number[] = []) {
  const next = scannerFor(secret).begin()
  return Array.from(pieces(text, cuts), (piece) => next(piece)).flat()
}

describe('the search for secrets', () => {
  test('finds one in every form, wherever it stands and however the text is cut', () => {
    fc.assert(
      fc.property(
        someSecret,
        someForm,
        fc.nat(2),
        someText,
        someText,
        someCuts,
        (secret, form, skew, before, after, cuts) => {
          const shown = inForm(form, Buffer.from(secret), skew)
          const found = search(secret, Buffer.concat([before, shown, after]), cuts)
          expect(found).not.toEqual([])
          expect(found.every((finding) => finding.secret === 'the secret')).toBe(true)
        },
      ),
    )
  })

  test('says where: each stretch once, however the text is cut', () => {
    fc.assert(
      fc.property(someText, someCuts, (before, cuts) => {
        const secret = randomBytes(2 * stretchBytes)
        const found = search(secret, Buffer.concat([before, secret]), cuts)
        const offsets = found.map(({ offset }) => offset - before.length)
        expect(offsets.sort((one, other) => one - other)).toEqual([0, stretchBytes])
      }),
    )
  })

  test('finds a part of one', () => {
    const partBytes = 2 * stretchBytes - 1
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: partBytes, maxLength: 70 }),
        fc.nat(70),
        someText,
        (secret, start, before) => {
          const from = Math.min(start, secret.length - partBytes)
          const part = secret.subarray(from, from + partBytes)
          expect(search(secret, Buffer.concat([before, part]))).not.toEqual([])
        },
      ),
    )
  })

  test('finds none where there is none', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), someCuts, (text, cuts) => {
        const secret = randomBytes(32)
        const almost = secret.map((byte, at) => (at % stretchBytes === 0 ? byte ^ 1 : byte))
        expect(search(secret, Buffer.concat([text, almost]), cuts)).toEqual([])
      }),
    )
  })

  test('tells thousands apart', () => {
    const secrets = Array.from({ length: 2_000 }, () => randomBytes(32))
    const scanner = new SecretScanner<number>()
    for (const [index, secret] of secrets.entries()) scanner.add(secret, index)
    const text = Buffer.concat([...secrets].reverse())
    const found = scanner.scan(text).map(({ secret }) => secret)
    expect([...new Set(found)]).toEqual(secrets.map((_, index) => secrets.length - 1 - index))
    const noise = randomBytes(65_536)
    expect(scanner.scan(noise)).toEqual([])
    expect(scanner.scan(Buffer.from(noise.toString('hex')))).toEqual([])
  })

  test('refuses what could be there by chance', () => {
    expect(() => scannerFor(new Uint8Array(shortestSecret - 1))).toThrow(RangeError)
  })
})
