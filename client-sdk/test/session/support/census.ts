import { toHex } from '@conclave/core/codec'
import type { SignedBytes } from '@conclave/core/crypto/public'
import {
  type SecretCrypto,
  type SecretSuite,
  type Signer,
  webCrypto,
} from '@conclave/core/crypto/secret'
import type { HpkeCiphertext } from '@conclave/core/wire'
import { systemRandom } from '../../../src/index.ts'

let underWay = 0

/** Whether nothing of what is `counted` is under way. */
export function platformIsIdle(): boolean {
  return underWay === 0
}

/** Work of the platform, during which no test's clock may move. */
export async function counted<T>(work: Promise<T>): Promise<T> {
  underWay += 1
  try {
    return await work
  } finally {
    underWay -= 1
  }
}

/**
 * A crypto provider that remembers every secret that came out of it, and every private signature key
 * that it was given, so that a test can ask what is left of them, and that shows when it is at work.
 */
export class Census {
  readonly crypto: SecretCrypto
  /** Whether what is sealed to this client reaches it damaged. */
  blind = false
  readonly #secrets: Uint8Array[] = []
  readonly #recurring: string[] = []

  constructor() {
    const provider = webCrypto(globalThis.crypto.subtle, systemRandom)
    const secretSuite = (id: number) => {
      const suite = provider.secretSuite(id)
      return suite && this.#watched(suite)
    }
    this.crypto = { publicSuite: secretSuite, secretSuite }
  }

  /** How many secrets there have been. */
  get taken(): number {
    return this.#secrets.length
  }

  /** How many have not been wiped. */
  get left(): number {
    return this.#secrets.filter((secret) => secret.some((byte) => byte !== 0)).length
  }

  /** How many signatures of leaves and KeyPackages were verified, and how many different ones. */
  get verified(): { readonly all: number; readonly different: number } {
    return { all: this.#recurring.length, different: new Set(this.#recurring).size }
  }

  #watched(suite: SecretSuite): SecretSuite {
    const noted = <T extends Uint8Array>(secret: T): T => {
      this.#secrets.push(secret)
      return secret
    }
    const noteSignature = ({ signature, occurs }: SignedBytes) => {
      if (occurs === 'recurring') this.#recurring.push(toHex(signature))
    }
    const watchedSigner = (signer: Signer): Signer => ({
      publicKey: signer.publicKey,
      sign: (content) => counted(signer.sign(content)),
    })
    return {
      ...suite,
      verify: (publicKey, message, signature, occurs) => {
        noteSignature({ publicKey, message, signature, occurs })
        return counted(suite.verify(publicKey, message, signature, occurs))
      },
      verifyAll: (signed) => {
        signed.forEach(noteSignature)
        return counted(suite.verifyAll(signed))
      },
      extract: (salt, key) => noted(suite.extract(salt, key)),
      expand: (key, info, length) => noted(suite.expand(key, info, length)),
      aeadSeal: (...args) => counted(suite.aeadSeal(...args)),
      aeadOpen: (...args) => counted(suite.aeadOpen(...args)),
      hpkeSeal: (...args) => counted(suite.hpkeSeal(...args)),
      hpkeSealAll: (...args) => counted(suite.hpkeSealAll(...args)),
      hpkeOpen: async (key, info, sealed) => {
        const arrived = this.blind ? damaged(sealed) : sealed
        return noted(await counted(suite.hpkeOpen(key, info, arrived)))
      },
      hpkeSealExport: async (...args) => {
        const sealed = await counted(suite.hpkeSealExport(...args))
        noted(sealed.exported.expose())
        return sealed
      },
      hpkeOpenExport: async (...args) => {
        const exported = await counted(suite.hpkeOpenExport(...args))
        noted(exported.expose())
        return exported
      },
      deriveKeyPair: async (inputKey) => {
        const pair = await counted(suite.deriveKeyPair(inputKey))
        noted(pair.privateKey.expose())
        return pair
      },
      generateSigner: async () => watchedSigner(await counted(suite.generateSigner())),
      importSigner: async (key) => {
        noted(key.expose())
        return watchedSigner(await counted(suite.importSigner(key)))
      },
    }
  }
}

function damaged({ kemOutput, ciphertext }: HpkeCiphertext): HpkeCiphertext {
  return { kemOutput, ciphertext: ciphertext.map((byte) => byte ^ 1) }
}
