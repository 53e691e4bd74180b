import type { RandomBytes } from '@conclave/core'
import type { SecretCrypto, SecretSuite, Signer } from '@conclave/core/crypto/secret'
import { cipherSuite, deriveKeySalt, deriveSecret, type FrameAead } from '@conclave/core/sframe'
import { nodePublicPlatform } from '../../../core/src/crypto/public/node/platform.ts'
import { assembleCrypto, type SecretPlatform } from '../../../core/src/crypto/secret/assemble.ts'
import type { DhGroup } from '../../../core/src/crypto/secret/hpke.ts'
import type { Kdf } from '../../../core/src/crypto/secret/kdf.ts'
import { nodeAead } from '../../../core/src/crypto/secret/node/aead.ts'
import { nodeGroup } from '../../../core/src/crypto/secret/node/group.ts'
import { nodeKdf } from '../../../core/src/crypto/secret/node/kdf.ts'
import { nodeSigner } from '../../../core/src/crypto/secret/node/signer.ts'
import { shortestSecret } from './secretForms.ts'

/**
 * What the recorder takes of each operation. `public` is what a group shows to everybody, `parts`
 * what is put together from bytes that come out of other operations here.
 */
type Taken = 'output' | 'key' | 'public' | 'parts'

type OperationsOf<T> = { readonly [Name in keyof Required<T>]: Taken | 'operations' }

/**
 * Every operation of a platform, below HPKE: a type error where one is missing. What goes into one
 * is the output of another, or was drawn.
 */
export const platformOperations: OperationsOf<SecretPlatform> = {
  hash: 'public',
  verify: 'public',
  verifyBeside: 'public',
  random: 'output',
  kdf: 'operations',
  aead: 'operations',
  group: 'operations',
  signer: 'key',
}
export const kdfOperations: OperationsOf<Kdf> = {
  extract: 'output',
  expand: 'output',
  // Confirmation tags and membership tags, which stand in handshake messages.
  mac: 'public',
}
export const aeadOperations: OperationsOf<ReturnType<SecretPlatform['aead']>> = {
  aeadSeal: 'public',
  // A GroupInfo, which is uploaded in clear too, and what HPKE opens.
  aeadOpen: 'parts',
}
export const groupOperations: OperationsOf<DhGroup> = {
  publicKey: 'public',
  agree: 'output',
  // Left out here, so that ephemeral keys are drawn from the recorded randomness.
  agreeOnce: 'output',
}

/** Every operation of a suite, which `assembleCrypto` makes of a platform's. */
export const suiteOperations: OperationsOf<SecretSuite> = {
  suite: 'public',
  hash: 'public',
  verify: 'public',
  verifyAll: 'public',
  extract: 'output',
  expand: 'output',
  mac: 'public',
  aeadSeal: 'public',
  aeadOpen: 'parts',
  deriveKeyPair: 'parts',
  hpkeSeal: 'public',
  hpkeSealAll: 'public',
  hpkeOpen: 'parts',
  hpkeSealExport: 'parts',
  hpkeOpenExport: 'parts',
  generateSigner: 'parts',
  importSigner: 'key',
  random: 'output',
}

/** A secret that a client had, once however many had it. */
export interface RecordedSecret {
  readonly bytes: Buffer
  /** The label that it was derived with, or what else it was first. */
  readonly name: string
}

/** RFC 9605's source numbers. */
const sources = 4
const [epochBits, leafBits] = [8, 10]

/** The crypto, randomness and frame AEAD of clients, of whose secrets it keeps copies. */
export class SecretRecorder {
  readonly crypto: SecretCrypto
  readonly #secrets = new Map<string, RecordedSecret>()
  readonly #names = new Set<string>()
  readonly #identifiers: Buffer[] = []
  readonly #frameKeys: Buffer[] = []

  constructor() {
    this.crypto = assembleCrypto({
      ...nodePublicPlatform({}),
      random: this.random,
      kdf: (suite) => this.#kdf(nodeKdf(suite)),
      aead: nodeAead,
      group: (suite) => this.#group(nodeGroup(suite, false)),
      signer: (curve, privateKey): Signer => {
        this.take('signature private key', privateKey.expose())
        return nodeSigner(curve, privateKey)
      },
    })
  }

  /** All so far, in their order. */
  get secrets(): readonly RecordedSecret[] {
    return [...this.#secrets.values()]
  }

  /** Everything that a secret has been; one that was recorded twice has two. */
  get names(): ReadonlySet<string> {
    return this.#names
  }

  /** Draws of a group id's length, which no secret of the default suite has. */
  get identifiers(): readonly Buffer[] {
    return this.#identifiers
  }

  /** Frame keys that were imported, whether or not they were recorded. */
  get importedFrameKeys(): readonly Buffer[] {
    return this.#frameKeys
  }

  has(bytes: Uint8Array): boolean {
    return this.#secrets.has(Buffer.from(bytes).toString('hex'))
  }

  readonly random: RandomBytes = (length) => {
    const drawn = globalThis.crypto.getRandomValues(new Uint8Array(length))
    if (length === groupIdBytes) this.#identifiers.push(Buffer.from(drawn))
    else this.take('drawn', drawn)
    return drawn
  }

  /** The AEAD of frames: sees keys, not salts. */
  watchFrameKeys(aead: FrameAead): FrameAead {
    return {
      importKey: (suite, key) => {
        this.#frameKeys.push(Buffer.from(key))
        return aead.importKey(suite, key)
      },
    }
  }

  /** An epoch's base key and all that RFC 9605 §5.2 derives of it for these leaves. */
  takeFrameKeys(baseKey: Uint8Array, epoch: bigint, leaves: readonly number[]): void {
    const suite = cipherSuite(frameSuite)
    this.take('SFrame base key', baseKey)
    const secret = deriveSecret(suite, baseKey)
    this.take('sframe_secret', secret.expose())
    for (const leaf of leaves) {
      for (let source = 0; source < sources; source++) {
        const context = BigInt(source << leafBits) | BigInt(leaf)
        const kid = (context << BigInt(epochBits)) | BigInt.asUintN(epochBits, epoch)
        const { key, salt } = deriveKeySalt(suite, secret, kid)
        this.take('SFrame key', key.expose())
        this.take('SFrame salt', salt.expose())
      }
    }
  }

  take(name: string, bytes: Uint8Array): void {
    if (bytes.length < shortestSecret) return
    this.#names.add(name)
    const copy = Buffer.from(bytes)
    const hex = copy.toString('hex')
    if (!this.#secrets.has(hex)) this.#secrets.set(hex, { bytes: copy, name })
  }

  #kdf({ extract, expand, mac }: Kdf): Kdf {
    return {
      extract: (salt, inputKey) => {
        const extracted = extract(salt, inputKey)
        this.take('extracted', extracted)
        return extracted
      },
      expand: (key, info, length) => {
        const expanded = expand(key, info, length)
        this.take(labelIn(info), expanded)
        return expanded
      },
      mac,
    }
  }

  #group({ publicKey, agree }: DhGroup): DhGroup {
    return {
      publicKey,
      agree: async (key, peer) => {
        this.take('HPKE private key', key.privateKey.expose())
        const shared = await agree(key, peer)
        this.take('Diffie-Hellman', shared)
        return shared
      },
    }
  }
}

const groupIdBytes = 16
/** AES_128_GCM_SHA256_128 */
const frameSuite = 4

/** The label of a KDFLabel (RFC 9420 §8); a length comes first, there and in HPKE (RFC 9180 §4). */
function labelIn(info: Uint8Array): string {
  const labelled = Buffer.from(info.subarray(2))
  if (labelled.toString('latin1').startsWith('HPKE-v1')) return 'HPKE'
  const [length = 0] = labelled
  return labelled.toString('latin1', 1, 1 + length)
}
