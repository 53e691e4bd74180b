import { type Bytes, decode } from '@conclave/core/codec'
import type { SecretCrypto, SecretSuite, Signer } from '@conclave/core/crypto/secret'
import type { HpkeCiphertext } from '@conclave/core/wire'
import { KdfLabel } from '../../../core/src/wire/labels.ts'

interface Noted {
  readonly label: string
  readonly bytes: Bytes
}

/**
 * The crypto provider of one process: remembers every secret that came out of it, works no more once
 * the process has ended, and can be made to damage what others have sealed.
 */
export class LifeCrypto implements SecretCrypto {
  /** How many things sealed for this client arrive damaged from now on. */
  damaging = 0
  readonly #inner: SecretCrypto
  #noted: Noted[] = []
  #ended = false

  constructor(inner: SecretCrypto) {
    this.#inner = inner
  }

  publicSuite(id: number): SecretSuite | undefined {
    return this.secretSuite(id)
  }

  secretSuite(id: number): SecretSuite | undefined {
    const suite = this.#inner.secretSuite(id)
    return suite && this.#watched(suite)
  }

  /** The process is gone, and whatever it was at. */
  end(): void {
    this.#ended = true
    this.#noted = []
  }

  /** What has not been wiped: how often each label of the key schedule occurs. */
  unwiped(): ReadonlyMap<string, number> {
    this.#noted = this.#noted.filter(({ bytes }) => bytes.some((byte) => byte !== 0))
    const counts = new Map<string, number>()
    for (const { label } of this.#noted) counts.set(label, (counts.get(label) ?? 0) + 1)
    return counts
  }

  /** What has not been wiped of what these labels stand for. */
  held(labels: readonly string[]): readonly Bytes[] {
    return this.#noted.flatMap(({ label, bytes }) =>
      labels.includes(label) && bytes.some((byte) => byte !== 0) ? [bytes.slice()] : [],
    )
  }

  #watched(suite: SecretSuite): SecretSuite {
    const note = (label: string, bytes: Bytes): Bytes => {
      if (!this.#ended) this.#noted.push({ label, bytes })
      return bytes
    }
    const alive = async <T>(work: Promise<T>): Promise<T> => {
      const done = await work
      // A process that is gone goes on with nothing.
      if (this.#ended) await new Promise(() => {})
      return done
    }
    const signerOf = ({ publicKey, sign }: Signer): Signer => ({
      publicKey,
      sign: (content) => alive(sign(content)),
    })
    return {
      ...suite,
      verify: (...args) => alive(suite.verify(...args)),
      verifyAll: (...args) => alive(suite.verifyAll(...args)),
      extract: (salt, key) => note('extract', suite.extract(salt, key)),
      expand: (key, info, length) => note(labelOf(info), suite.expand(key, info, length)),
      aeadSeal: (...args) => alive(suite.aeadSeal(...args)),
      aeadOpen: (...args) => alive(suite.aeadOpen(...args)),
      hpkeSeal: (...args) => alive(suite.hpkeSeal(...args)),
      hpkeSealAll: (...args) => alive(suite.hpkeSealAll(...args)),
      hpkeOpen: async (key, info, sealed) =>
        note('opened', await alive(suite.hpkeOpen(key, info, this.#arrived(sealed)))),
      deriveKeyPair: async (inputKey) => {
        const pair = await alive(suite.deriveKeyPair(inputKey))
        note('private key', pair.privateKey.expose())
        return pair
      },
      generateSigner: async () => signerOf(await alive(suite.generateSigner())),
      importSigner: async (key) => signerOf(await alive(suite.importSigner(key))),
    }
  }

  #arrived(sealed: HpkeCiphertext): HpkeCiphertext {
    if (this.damaging === 0) return sealed
    this.damaging -= 1
    return { ...sealed, ciphertext: sealed.ciphertext.map((byte) => byte ^ 1) }
  }
}

/** Without "MLS 1.0 ". */
function labelOf(info: Uint8Array): string {
  try {
    return new TextDecoder().decode(decode(KdfLabel, info).label).slice('MLS 1.0 '.length)
  } catch {
    // HPKE's own derivations are labelled otherwise.
    return 'hpke'
  }
}
