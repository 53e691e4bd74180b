import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { PublicCrypto, PublicSuite } from '@conclave/core/crypto/public'
import {
  type HpkeKeyPair,
  Secret,
  type SecretCrypto,
  type SecretSuite,
  type Signer,
} from '@conclave/core/crypto/secret'

interface Verified {
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  readonly valid: boolean | Promise<boolean>
}

/** Of the signatures that somebody here has made, one in so many is verified all the same. */
const verifiedAnyway = 16

/**
 * All processes of a run verify the same signatures, derive the same key pairs and open the same
 * ciphertexts, and that is most of what they do: what one has computed the others need not compute
 * again. A signature that one has made is good, which need not be computed at all.
 */
export class RememberedResults {
  /** By signature. */
  readonly #verified = new Map<string, Verified[]>()
  /** By the secret that they are derived from. */
  readonly #keyPairs = new Map<string, { readonly privateKey: Bytes; readonly publicKey: Bytes }>()
  /** Of the key schedule and of what is opened, by all that they depend on. */
  readonly #bytes = new Map<string, Bytes>()

  public(crypto: PublicCrypto): PublicCrypto {
    return { publicSuite: (id) => this.#publicSuite(crypto.publicSuite(id)) }
  }

  secret(crypto: SecretCrypto): SecretCrypto {
    return {
      publicSuite: (id) => this.#publicSuite(crypto.publicSuite(id)),
      secretSuite: (id) => this.#secretSuite(crypto.secretSuite(id)),
    }
  }

  /** So that a long run does not remember all that there ever was. */
  forget(): void {
    this.#verified.clear()
    this.#keyPairs.clear()
    this.#bytes.clear()
  }

  #publicSuite<S extends PublicSuite>(suite: S | undefined): S | undefined {
    if (suite === undefined) return undefined
    const verify: PublicSuite['verify'] = async (publicKey, message, signature) => {
      const known = this.#verificationsOf(signature)
      const before = known.find(
        (one) => equalBytes(one.message, message) && equalBytes(one.publicKey, publicKey),
      )
      if (before !== undefined) return before.valid
      const valid = suite.verify(publicKey, message, signature)
      known.push({ publicKey: publicKey.slice(), message: message.slice(), valid })
      return valid
    }
    return {
      ...suite,
      verify,
      verifyAll: (signed) =>
        Promise.all(signed.map((one) => verify(one.publicKey, one.message, one.signature))),
    }
  }

  #secretSuite(inner: SecretSuite | undefined): SecretSuite | undefined {
    const suite = this.#publicSuite(inner)
    if (suite === undefined) return undefined
    const computed = (step: string, inputs: readonly Uint8Array[], compute: () => Bytes) => {
      const name = nameOf(`${suite.suite.id} ${step}`, ...inputs)
      const known = this.#bytes.get(name)
      if (known !== undefined) return known.slice()
      const fresh = compute()
      this.#bytes.set(name, fresh.slice())
      return fresh
    }
    return {
      ...suite,
      generateSigner: async () => this.#noting(await suite.generateSigner()),
      importSigner: async (key) => this.#noting(await suite.importSigner(key)),
      extract: (salt, key) => computed('extract', [salt, key], () => suite.extract(salt, key)),
      expand: (key, info, length) =>
        computed(`expand ${length}`, [key, info], () => suite.expand(key, info, length)),
      mac: (key, data) => computed('mac', [key, data], () => suite.mac(key, data)),
      deriveKeyPair: (inputKey) => this.#deriveKeyPair(suite, inputKey),
      hpkeOpen: (...opened) => this.#open(suite, ...opened),
    }
  }

  #noting({ publicKey, sign }: Signer): Signer {
    return {
      publicKey,
      sign: async (message) => {
        const content = message.slice()
        const signature = await sign(message)
        const [lot = 0] = signature
        if (lot % verifiedAnyway !== 0) {
          this.#verificationsOf(signature).push({ publicKey, message: content, valid: true })
        }
        return signature
      },
    }
  }

  #verificationsOf(signature: Uint8Array): Verified[] {
    const name = latin1(signature)
    const known = this.#verified.get(name) ?? []
    this.#verified.set(name, known)
    return known
  }

  async #deriveKeyPair(suite: SecretSuite, inputKey: Secret): Promise<HpkeKeyPair> {
    const name = nameOf(`${suite.suite.id} pair`, inputKey.expose())
    const known = this.#keyPairs.get(name)
    if (known !== undefined) {
      return {
        privateKey: new Secret(known.privateKey.slice()),
        publicKey: known.publicKey.slice(),
      }
    }
    const { privateKey, publicKey } = await suite.deriveKeyPair(inputKey)
    this.#keyPairs.set(name, {
      privateKey: privateKey.expose().slice(),
      publicKey: publicKey.slice(),
    })
    return { privateKey, publicKey }
  }

  async #open(
    suite: SecretSuite,
    ...[key, info, sealed]: Parameters<SecretSuite['hpkeOpen']>
  ): Promise<Bytes> {
    const { kemOutput, ciphertext } = sealed
    const inputs = [key.privateKey.expose(), key.publicKey, kemOutput, ciphertext, info]
    const name = nameOf(`${suite.suite.id} open`, ...inputs)
    const known = this.#bytes.get(name)
    if (known !== undefined) return known.slice()
    const plaintext = await suite.hpkeOpen(key, info, sealed)
    this.#bytes.set(name, plaintext.slice())
    return plaintext
  }
}

/** Of these bytes and no others. */
function nameOf(step: string, ...inputs: readonly Uint8Array[]): string {
  return `${step} ${inputs.map((input) => `${input.length} ${latin1(input)}`).join('')}`
}

function latin1({ buffer, byteOffset, length }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, length).toString('latin1')
}
