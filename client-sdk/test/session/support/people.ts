import type { Clock } from '@conclave/core'
import { type Bytes, decode, encode, utf8 } from '@conclave/core/codec'
import {
  Secret,
  type SecretSuite,
  type Signer,
  signWithLabel,
  webCrypto,
} from '@conclave/core/crypto/secret'
import { CommitEnvelope, type WaitingJoiner } from '@conclave/core/delivery'
import {
  conclaveCapabilities,
  foundingExtensions,
  meetingPolicy,
  memberExtension,
  memberLabel,
  memberTbs,
} from '@conclave/core/meeting'
import { createKeyPackage, type KeyPackageBundle, type OwnLeaf } from '@conclave/core/mls/bootstrap'
import { Group, type GroupEnvironment } from '@conclave/core/mls/group'
import {
  CredentialType,
  type LeafIndex,
  MlsMessage,
  ProposalType,
  ProtocolVersion,
  type PublicMessage,
  WireFormat,
} from '@conclave/core/wire'
import { generateRemovalSigner, type RemovalSigner } from '@conclave/keyserver'
import { systemRandom } from '../../../src/index.ts'

export const meetingId = 'standup'
export const crypto = webCrypto(globalThis.crypto.subtle, systemRandom)
export const suite = crypto.secretSuite(1) as SecretSuite

/** Somebody's leaf for a meeting, made by a device of their own where none is given. */
export async function leafOf(
  identity: string,
  meeting = meetingId,
  signer?: Signer,
  ownDevice?: Signer,
): Promise<OwnLeaf> {
  const own = signer ?? (await suite.generateSigner())
  const device = ownDevice ?? (await suite.generateSigner())
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

export const clock: Pick<Clock, 'now'> = { now: () => Date.now() }

export const environment: GroupEnvironment = {
  crypto,
  clock,
  policy: meetingPolicy({ meetingId, trust: { policy: 'open' } }),
}

/** Groups as they are behind sessions: a founder's, and those of whom it has added. */
export class Gathering {
  readonly keyserver: RemovalSigner
  /** By the order in which they came. */
  groups: Group[] = []

  private constructor(keyserver: RemovalSigner) {
    this.keyserver = keyserver
  }

  static async of(count: number): Promise<Gathering> {
    const gathering = new Gathering(await generateRemovalSigner(globalThis.crypto.subtle))
    const { externalSender } = gathering.keyserver
    const founder = await Group.found(environment, {
      cipherSuite: 1,
      groupId: systemRandom(16),
      own: await leafOf('member 0'),
      lifetime: lifetime(),
      extensions: foundingExtensions(meetingId, { policy: 'open' }, externalSender),
    })
    gathering.groups = [founder]
    if (count > 1) await gathering.add(count - 1)
    return gathering
  }

  /** The first adds them with one commit, which the others take in. */
  async add(count: number): Promise<void> {
    const first = this.groups.length
    const bundles = await Promise.all(
      Array.from({ length: count }, async (_, i) =>
        createKeyPackage(suite, await leafOf(`member ${first + i}`), lifetime()),
      ),
    )
    const [founder, ...others] = this.groups as [Group, ...Group[]]
    const pending = await founder.commit({
      proposals: bundles.map(({ keyPackage }) => ({ proposalType: ProposalType.add, keyPackage })),
      authenticatedData: envelope(0),
    })
    const welcome = decode(MlsMessage, pending.welcome as Bytes)
    if (welcome.wireFormat !== WireFormat.welcome) throw new Error('no Welcome')
    const ratchetTree = pending.effect.tree.toRatchetTree()
    const joined = await Promise.all(
      bundles.map((bundle) =>
        Group.join(environment, {
          welcome: welcome.welcome,
          bundle,
          ratchetTree: () => Promise.resolve(ratchetTree),
        }),
      ),
    )
    const advanced = await Promise.all(others.map((group) => receiveCommit(group, pending.message)))
    this.groups = [founder.confirm(pending), ...advanced, ...joined]
  }

  group(index: number): Group {
    const group = this.groups[index]
    if (group === undefined) throw new Error(`there is no group ${index}`)
    return group
  }

  /** The keyserver's proposal to remove a leaf, in the epoch of this group. */
  async removalOf(leaf: number, { groupContext } = this.group(0)): Promise<Bytes> {
    return encodedRemoval(await this.keyserver.signRemoval(groupContext, leaf as LeafIndex))
  }
}

export function encodedRemoval(publicMessage: PublicMessage): Bytes {
  const version = ProtocolVersion.mls10
  return encode(MlsMessage, { version, wireFormat: WireFormat.publicMessage, publicMessage })
}

/** The authenticated_data of a commit whose sender has seen the log up to `seq`. */
export function envelope(seq: number): Bytes {
  return encode(CommitEnvelope, { seenSeq: BigInt(seq) })
}

export function lifetime() {
  const now = BigInt(Math.floor(clock.now() / 1000))
  return { notBefore: now - 60n, notAfter: now + 300n }
}

async function receiveCommit(group: Group, message: Bytes): Promise<Group> {
  const received = await group.receive(message)
  if (received.kind !== 'commit') throw new Error(`a commit was ${received.kind}`)
  return received.group
}
