import type { Clock, RandomBytes } from '@conclave/core'
import { utf8 } from '@conclave/core/codec'
import { cipherSuites } from '@conclave/core/crypto/public'
import {
  Secret,
  type SecretCrypto,
  type SecretSuite,
  type Signer,
  signWithLabel,
} from '@conclave/core/crypto/secret'
import {
  conclaveCapabilities,
  memberExtension,
  memberLabel,
  memberTbs,
} from '@conclave/core/meeting'
import { createKeyPackage, type KeyPackageBundle, type OwnLeaf } from '@conclave/core/mls/bootstrap'
import {
  type Capabilities,
  CredentialType,
  type LeafNode,
  LeafNodeSource,
  type Lifetime,
  ProtocolVersion,
} from '@conclave/core/wire'
import { SessionError } from './sessionError.ts'
import type { SessionStore } from './store.ts'

/** Who the user is, as the application knows it. */
export interface MeetingIdentity {
  /** Shown to the other participants and bound to the device key; at most 256 bytes of UTF-8. */
  readonly id: string
}

const deviceKeyName = 'device-key'
const deviceKeyLength = 32
/** Of Ed25519, the meeting's signature scheme, in bytes. */
export const signatureKeyLength = 32

/**
 * The device's persistent signature key, made on first use.
 * @throws SessionError `store-corrupted`, `store-unavailable`
 */
export async function deviceSigner(
  crypto: SecretSuite,
  store: SessionStore,
  random: RandomBytes,
): Promise<Signer> {
  const made = random(deviceKeyLength)
  // Of meetings and tabs that come at the same time one makes the key.
  const key = await store.readOrWrite(deviceKeyName, made)
  made.fill(0)
  if (key.length !== deviceKeyLength) {
    throw new SessionError('store-corrupted', 'the stored device key has the wrong length', {
      remedy: 'Delete the session store; others will see a new, unverified device.',
    })
  }
  const secret = new Secret(key)
  try {
    return await crypto.importSigner(secret)
  } finally {
    secret.wipe()
  }
}

/**
 * The suites that a device can do with its one key: those of the meeting's signature scheme, that
 * suite first.
 */
export function suitesFor(crypto: SecretCrypto, meetingSuite: SecretSuite): readonly number[] {
  const { id, signature } = meetingSuite.suite
  const others = [...cipherSuites.values()].filter(
    (suite) => suite.id !== id && suite.signature === signature,
  )
  const offered = others.filter((suite) => crypto.secretSuite(suite.id) !== undefined)
  return [id, ...offered.map((suite) => suite.id)]
}

/** A leaf of ours with its private signature key, of which its signer can be made again. */
export interface MeetingLeaf extends OwnLeaf {
  readonly signatureKey: Secret
}

/**
 * A leaf for one meeting, certified by the device.
 * @param signatureKey taken over
 */
export async function meetingLeaf(
  crypto: SecretSuite,
  certified: Omit<Certified, 'signer'>,
  signatureKey: Secret,
): Promise<MeetingLeaf> {
  const signer = await crypto.importSigner(signatureKey)
  return { ...(await certifiedLeaf({ ...certified, signer })), signatureKey }
}

/** A fresh signature key, which serves one group (RFC 9750 §8.4.3.1). */
export function freshSignatureKey(random: RandomBytes): Secret {
  return new Secret(random(signatureKeyLength))
}

/** What a device says of a leaf. */
export interface Certified {
  readonly device: Signer
  /** Or `anyMeeting`, for a KeyPackage that is published. */
  readonly meetingId: string
  readonly identity: MeetingIdentity
  /** What the device can do (`suitesFor`). */
  readonly cipherSuites: readonly number[]
  readonly signer: Signer
}

/** A leaf with this signature key, which the device certifies. */
export async function certifiedLeaf({
  device,
  meetingId,
  identity,
  cipherSuites: suites,
  signer,
}: Certified): Promise<OwnLeaf> {
  const certified = memberTbs(meetingId, signer.publicKey)
  const capabilities: Capabilities = {
    versions: [ProtocolVersion.mls10],
    cipherSuites: suites,
    extensions: conclaveCapabilities.extensionTypes,
    proposals: conclaveCapabilities.proposalTypes,
    credentials: [CredentialType.basic],
  }
  return {
    signer,
    credential: { credentialType: CredentialType.basic, identity: utf8(identity.id) },
    capabilities,
    extensions: [
      memberExtension({
        deviceKey: device.publicKey,
        deviceSignature: await signWithLabel(device, memberLabel, certified),
        ticket: undefined,
      }),
    ],
  }
}

/** How long a KeyPackage may wait to be added, in seconds. */
const waitingLifetime = 5n * 60n
/** A KeyPackage is valid by clocks that are this far off, in seconds; the keyserver allows no more. */
const clockTolerance = 10n * 60n

export function keyPackageFor(
  crypto: SecretSuite,
  own: OwnLeaf,
  clock: Pick<Clock, 'now'>,
): Promise<KeyPackageBundle> {
  return createKeyPackage(crypto, own, lifetimeFrom(clock))
}

export function lifetimeFrom(clock: Pick<Clock, 'now'>): Lifetime {
  const now = BigInt(Math.floor(clock.now() / 1000))
  return { notBefore: now - clockTolerance, notAfter: now + waitingLifetime + clockTolerance }
}

/**
 * When our leaf's keys were made, or a little earlier, in milliseconds since the Unix epoch: as its
 * lifetime says, and now where it has none, which is so after a commit of ours.
 */
export function leafKeysMadeAt(leafNode: LeafNode | undefined, clock: Pick<Clock, 'now'>): number {
  const now = clock.now()
  if (leafNode?.leafNodeSource !== LeafNodeSource.keyPackage) return now
  return Math.min(now, Number(leafNode.lifetime.notBefore + clockTolerance) * 1000)
}
