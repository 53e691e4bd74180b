import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes, toHex, utf8 } from '../../src/codec/bytes.ts'
import { expandWithLabel, Secret, type SecretSuite } from '../../src/crypto/secret/index.ts'
import { SafeExporter } from '../../src/mls/application/index.ts'
import { contains } from './privateGroup.ts'
import { refusal } from './refusals.ts'
import { suite } from './testCrypto.ts'

const { Nh } = suite().suite
const rootSecret = () => new Secret(new Uint8Array(Nh).fill(9))
const componentId = fc.nat(0xffff)

function exporter(crypto: SecretSuite = suite()): SafeExporter {
  return SafeExporter.create(crypto, rootSecret())
}

/** The draft's definition, read off: from the root down, a step for each bit of the ComponentID. */
function definition(component: number): string {
  let secret = rootSecret()
  for (let bit = 15; bit >= 0; bit--) {
    const side = (component >> bit) & 1 ? 'right' : 'left'
    secret = expandWithLabel(suite(), secret, 'tree', utf8(side), Nh)
  }
  return toHex(secret.expose())
}

describe('the safe exporter', () => {
  it('gives each component the leaf of its own, in whatever order they come', () => {
    fc.assert(
      fc.property(fc.uniqueArray(componentId, { maxLength: 12 }), (components) => {
        const exports = exporter()
        for (const component of components) {
          expect(toHex(exports.exportSecret(component).expose())).toBe(definition(component))
        }
      }),
      { numRuns: 20 },
    )
    const edges = exporter()
    for (const component of [0xffff, 0, 1, 0x8000, 0x7fff]) {
      expect(toHex(edges.exportSecret(component).expose())).toBe(definition(component))
    }
  })

  it('gives no secret twice, also not after it was stored', () => {
    const exports = exporter()
    exports.exportSecret(5)
    const restored = SafeExporter.restore(suite(), exports.encodeState().expose())
    for (const each of [exports, restored]) {
      expect(() => each.exportSecret(5)).toThrow(refusal('component-secret-consumed'))
      expect(toHex(each.exportSecret(4).expose())).toBe(definition(4))
    }
    expect(exports.encodeState().expose()).toEqual(restored.encodeState().expose())
  })

  it.each([-1, 0x10000, 1.5, Number.NaN])(
    'has none for %d, which is no ComponentID',
    (component) => {
      expect(() => exporter().exportSecret(component)).toThrow(refusal('component-secret-consumed'))
    },
  )

  it('keeps nothing that an exported secret derives from', () => {
    const derived: Uint8Array<ArrayBuffer>[] = []
    const plain = suite()
    const exports = exporter({
      ...plain,
      expand: (key, info, length) => {
        const bytes = plain.expand(key, info, length)
        derived.push(bytes.slice())
        return bytes
      },
    })
    const exported = exports.exportSecret(0x1234).expose()
    expect(derived.length).toBe(2 * 16)
    const state = exports.encodeState().expose()
    expect(contains(state, rootSecret().expose())).toBe(false)
    expect(contains(state, exported)).toBe(false)
    // The sibling of every node on the way.
    expect(derived.filter((bytes) => contains(state, bytes)).length).toBe(16)
  })

  it('is gone after a wipe', () => {
    const exports = exporter()
    exports.exportSecret(1)
    exports.wipe()
    expect(() => exports.exportSecret(2)).toThrow(refusal('component-secret-consumed'))
    expect(exports.encodeState().expose()).toEqual(Uint8Array.of(0))
  })

  it('is not restored from a state with two ways to one secret, or that is cut or continued', () => {
    const state = exporter().encodeState().expose()
    const [node, secret] = [state.slice(1, 5), state.slice(5)]
    const child = concatBytes(Uint8Array.of(0, 0, 0, 0), secret)
    const both = concatBytes(child, node, secret)
    const header = Uint8Array.of(0x40, both.length)
    expect(() => SafeExporter.restore(suite(), concatBytes(header, both))).toThrow(
      refusal('state-malformed'),
    )
    const twice = concatBytes(header, node, secret, node, secret)
    expect(() => SafeExporter.restore(suite(), twice)).toThrow(refusal('state-malformed'))
    const beyond = state.with(2, 2)
    expect(() => SafeExporter.restore(suite(), beyond)).toThrow(refusal('state-malformed'))
    expect(() => SafeExporter.restore(suite(), state.slice(0, 20))).toThrow(
      refusal('codec-truncated'),
    )
    expect(() => SafeExporter.restore(suite(), concatBytes(state, Uint8Array.of(0)))).toThrow(
      refusal('codec-trailing-bytes'),
    )
  })
})
