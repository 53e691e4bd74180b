import { type Bytes, encode, utf8 } from '@conclave/core/codec'
import {
  type SecretSuite,
  type Signer,
  signWithLabel,
  webCrypto,
} from '@conclave/core/crypto/secret'
import {
  anyMeeting,
  conclaveCapabilities,
  memberExtension,
  memberLabel,
  memberTbs,
} from '@conclave/core/meeting'
import { createKeyPackage, type KeyPackageBundle } from '@conclave/core/mls/bootstrap'
import { type Credential, type KeyPackage, MlsMessage } from '@conclave/core/wire'
import { systemRandom } from '@conclave/keyserver'

export interface KeyPackageChanges {
  readonly lastResort?: boolean
  readonly certifiedFor?: string
  readonly credential?: Credential
  readonly proposals?: readonly number[]
  /** Seconds from now. */
  readonly validFrom?: number
  readonly validFor?: number
}

const day = 24 * 60 * 60

export const realCrypto = webCrypto(globalThis.crypto.subtle, systemRandom)

function suiteOne(): SecretSuite {
  const suite = realCrypto.secretSuite(1)
  if (suite === undefined) throw new Error('suite 1 is missing')
  return suite
}

/** A device of somebody, which makes real KeyPackages. */
export class TestDevice {
  readonly identity: string
  readonly #device: Signer
  readonly #now: () => number

  private constructor(identity: string, device: Signer, now: () => number) {
    this.identity = identity
    this.#device = device
    this.#now = now
  }

  static async make(identity: string, clock: { now(): number }): Promise<TestDevice> {
    return new TestDevice(identity, await suiteOne().generateSigner(), () => clock.now())
  }

  get deviceKey(): Bytes {
    return this.#device.publicKey
  }

  async keyPackage(
    changes: KeyPackageChanges = {},
  ): Promise<{ bundle: KeyPackageBundle; encoded: Bytes }> {
    const { lastResort = false, certifiedFor = anyMeeting } = changes
    const signer = await suiteOne().generateSigner()
    const certificate = memberTbs(certifiedFor, signer.publicKey)
    const member = memberExtension({
      deviceKey: this.deviceKey,
      deviceSignature: await signWithLabel(this.#device, memberLabel, certificate),
      ticket: undefined,
    })
    const now = BigInt(Math.floor(this.#now() / 1000))
    const { validFrom = -3600, validFor = 30 * day } = changes
    const credential = changes.credential ?? { credentialType: 1, identity: utf8(this.identity) }
    const bundle = await createKeyPackage(
      suiteOne(),
      {
        signer,
        credential,
        capabilities: {
          versions: [1],
          cipherSuites: [1],
          extensions: [...conclaveCapabilities.extensionTypes],
          proposals: [...(changes.proposals ?? conclaveCapabilities.proposalTypes)],
          credentials: [credential.credentialType],
        },
        extensions: [member],
      },
      { notBefore: now + BigInt(validFrom), notAfter: now + BigInt(validFor) },
      { lastResort },
    )
    return { bundle, encoded: encodeKeyPackage(bundle.keyPackage) }
  }

  async keyPackages(count: number): Promise<Bytes[]> {
    const made = Array.from({ length: count }, () => this.keyPackage())
    return (await Promise.all(made)).map(({ encoded }) => encoded)
  }
}

export function encodeKeyPackage(keyPackage: KeyPackage): Bytes {
  return encode(MlsMessage, { version: 1, wireFormat: 5, keyPackage })
}
