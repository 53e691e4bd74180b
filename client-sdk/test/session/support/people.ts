import type { Clock } from '@conclave/core'
import { type Bytes, encode, utf8 } from '@conclave/core/codec'
import {
  Secret,
  type SecretSuite,
  type Signer,
  signWithLabel,
  webCrypto,
} from '@conclave/core/crypto/secret'
import type { WaitingJoiner } from '@conclave/core/delivery'
import {
  conclaveCapabilities,
  memberExtension,
  memberLabel,
  memberTbs,
} from '@conclave/core/meeting'
import { createKeyPackage, type KeyPackageBundle, type OwnLeaf } from '@conclave/core/mls/bootstrap'
import { CredentialType, MlsMessage, ProtocolVersion, WireFormat } from '@conclave/core/wire'
import { systemRandom } from '../../../src/index.ts'

export const meetingId = 'standup'
export const crypto = webCrypto(globalThis.crypto.subtle, systemRandom)
export const suite = crypto.secretSuite(1) as SecretSuite

/** Somebody's leaf for a meeting, made by a device of their own. */
export async function leafOf(
  identity: string,
  meeting = meetingId,
  signer?: Signer,
): Promise<OwnLeaf> {
  const own = signer ?? (await suite.generateSigner())
  const device = await suite.generateSigner()
  const certified = memberTbs(meeting, own.publicKey)
  return {
    signer: own,
    credential: { credentialType: CredentialType.basic, identity: utf8(identity) },
    capabilities: {
      versions: [ProtocolVersion.mls10],
      cipherSuites: [1],
      extensions: conclaveCapabilities.extensionTypes,
      proposals: conclaveCapabilities.proposalTypes,
      credentials: [CredentialType.basic],
    },
    extensions: [
      memberExtension({
        deviceKey: device.publicKey,
        deviceSignature: await signWithLabel(device, memberLabel, certified),
        ticket: undefined,
      }),
    ],
  }
}

interface Flaw {
  /** What all of them have in common. */
  readonly sharing?: 'leafKey' | 'signer'
  readonly lifetimeSeconds?: number
  readonly startsInSeconds?: number
  readonly meetingId?: string
  /** Bytes of the identity. */
  readonly padding?: number
}

/** People who wait, with KeyPackages that are valid by themselves but for the flaw. */
export async function joinerOf(
  clock: Pick<Clock, 'now'>,
  count: number,
  flaw: Flaw = {},
): Promise<WaitingJoiner[]> {
  const { sharing, lifetimeSeconds = 300, startsInSeconds = -60, padding = 0 } = flaw
  const signer = sharing === 'signer' ? await suite.generateSigner() : undefined
  const making = sharing === 'leafKey' ? await withOneLeafKey() : suite
  const notBefore = BigInt(Math.floor(clock.now() / 1000) + startsInSeconds)
  const lifetime = { notBefore, notAfter: notBefore + BigInt(lifetimeSeconds) }
  const joiners: WaitingJoiner[] = []
  for (let i = 0; i < count; i++) {
    const identity = `joiner ${i}`.padEnd(padding, '.')
    const own = await leafOf(identity, flaw.meetingId, signer)
    const { ref, keyPackage } = await createKeyPackage(making, own, lifetime)
    joiners.push({ ref, keyPackage: encodedKeyPackage({ keyPackage }) })
  }
  return joiners
}

export function encodedKeyPackage({ keyPackage }: Pick<KeyPackageBundle, 'keyPackage'>): Bytes {
  const version = ProtocolVersion.mls10
  return encode(MlsMessage, { version, wireFormat: WireFormat.keyPackage, keyPackage })
}

/** A suite that gives every leaf the same encryption key: of two pairs made, it is the second. */
async function withOneLeafKey(): Promise<SecretSuite> {
  const shared = await suite.deriveKeyPair(new Secret(systemRandom(32)))
  let made = 0
  return {
    ...suite,
    deriveKeyPair: (seed) => {
      made += 1
      return made % 2 === 0 ? Promise.resolve(shared) : suite.deriveKeyPair(seed)
    },
  }
}
