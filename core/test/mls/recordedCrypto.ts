import { type Bytes, toHex } from '../../src/codec/bytes.ts'
import { decode } from '../../src/codec/tls.ts'
import type { SecretCrypto, SecretSuite } from '../../src/crypto/secret/index.ts'
import { KdfLabel } from '../../src/wire/labels.ts'

/** A provider that keeps a copy of every secret that it has handed out, with what it is for. */
export class RecordedCrypto implements SecretCrypto {
  readonly #inner: SecretCrypto
  /** By the secret in hexadecimal form. */
  readonly #names = new Map<string, string>()
  /** Goes before the names of what is made from now on. */
  during = ''

  constructor(inner: SecretCrypto) {
    this.#inner = inner
  }

  publicSuite(id: number) {
    return this.#inner.publicSuite(id)
  }

  secretSuite(id: number): SecretSuite | undefined {
    const suite = this.#inner.secretSuite(id)
    if (suite === undefined) return undefined
    return {
      ...suite,
      random: (length) => this.#record(`random ${length} bytes`, suite.random(length)),
      extract: (salt, inputKey) => this.#record('extracted', suite.extract(salt, inputKey)),
      expand: (key, info, length) => {
        const label = new TextDecoder().decode(decode(KdfLabel, info).label)
        return this.#record(label.slice('MLS 1.0 '.length), suite.expand(key, info, length))
      },
      deriveKeyPair: async (inputKey) => {
        const isNode = this.#names.get(toHex(inputKey.expose()))?.endsWith(' node')
        const pair = await suite.deriveKeyPair(inputKey)
        this.#record(isNode ? 'node key' : 'key of one', pair.privateKey.expose())
        return pair
      },
      hpkeOpen: async (key, info, ciphertext) =>
        this.#record('opened', await suite.hpkeOpen(key, info, ciphertext)),
    }
  }

  /** The names of the secrets that `whole` contains, each with how many there are where it is not one. */
  foundIn(whole: Bytes): readonly string[] {
    const buffer = Buffer.from(whole)
    const counts = new Map<string, number>()
    for (const [hex, name] of this.#names) {
      // What is this short is no secret, and found by chance.
      if (hex.length < 24 || !buffer.includes(Buffer.from(hex, 'hex'))) continue
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
    return Array.from(counts, ([name, count]) => (count === 1 ? name : `${name} × ${count}`)).sort()
  }

  #record(name: string, bytes: Bytes): Bytes {
    const hex = toHex(bytes)
    if (!this.#names.has(hex)) this.#names.set(hex, `${this.during} ${name}`)
    return bytes
  }
}
