import { type Bytes, toHex } from '../../src/codec/bytes.ts'
import { decode } from '../../src/codec/tls.ts'
import type { SecretCrypto, SecretSuite } from '../../src/crypto/secret/index.ts'
import { KdfLabel } from '../../src/wire/labels.ts'

interface Trace {
  readonly what: string
  readonly bytes: Bytes
}

/**
 * A provider that remembers every secret it has handed out, by the very memory, so that a test can
 * see which of them have not been overwritten.
 */
export class TracedCrypto implements SecretCrypto {
  readonly #inner: SecretCrypto
  readonly #traces: Trace[] = []
  /** Called in the middle of whatever derives key pairs, where others can act too. */
  whenKeyIsDerived: () => void = () => {}

  constructor(inner: SecretCrypto) {
    this.#inner = inner
  }

  publicSuite(id: number) {
    return this.#inner.publicSuite(id)
  }

  secretSuite(id: number): SecretSuite | undefined {
    const suite = this.#inner.secretSuite(id)
    if (suite === undefined) return undefined
    const traced = (what: string, bytes: Bytes): Bytes => {
      this.#traces.push({ what, bytes })
      return bytes
    }
    return {
      ...suite,
      random: (length) => traced('random', suite.random(length)),
      extract: (salt, inputKey) => traced('extract', suite.extract(salt, inputKey)),
      expand: (key, info, length) => {
        const { label } = decode(KdfLabel, info)
        return traced(new TextDecoder().decode(label), suite.expand(key, info, length))
      },
      deriveKeyPair: async (inputKey) => {
        const pair = await suite.deriveKeyPair(inputKey)
        this.whenKeyIsDerived()
        traced('private key', pair.privateKey.expose())
        return pair
      },
      hpkeOpen: async (key, info, ciphertext) =>
        traced('opened', await suite.hpkeOpen(key, info, ciphertext)),
      aeadOpen: (key, nonce, aad, ciphertext) => suite.aeadOpen(key, nonce, aad, ciphertext),
    }
  }

  /** How many secrets have been handed out. */
  get count(): number {
    return this.#traces.length
  }

  forget(): void {
    this.#traces.length = 0
  }

  /** Names of the secrets that still have their bytes and are none of `owned`, nor in an encoded secret tree. */
  leaked(owned: ReadonlySet<Bytes>, secretTrees: readonly string[] = []): readonly string[] {
    return this.#traces
      .filter(({ bytes }) => !owned.has(bytes) && bytes.some((byte) => byte !== 0))
      .filter(({ bytes }) => !secretTrees.some((state) => state.includes(toHex(bytes))))
      .map(({ what }) => what)
  }
}
