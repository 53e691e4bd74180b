import { type Bytes, emptyBytes, equalBytes, toHex, utf8 } from '../../src/codec/bytes.ts'
import { decode } from '../../src/codec/tls.ts'
import {
  type SecretSuite,
  type Signer,
  signWithLabel,
  webCrypto,
} from '../../src/crypto/secret/index.ts'
import {
  foundingExtensions,
  type MeetingTrust,
  meetingPolicy,
  memberExtension,
  memberLabel,
  memberTbs,
} from '../../src/meeting/index.ts'
import {
  createKeyPackage,
  type KeyPackageBundle,
  type OwnLeaf,
} from '../../src/mls/bootstrap/index.ts'
import {
  Group,
  type GroupEnvironment,
  type OwnProposal,
  type PendingCommit,
  type Received,
} from '../../src/mls/group/index.ts'
import type { GroupPolicy } from '../../src/mls/public/index.ts'
import {
  type Extensions,
  type ExternalSender,
  type LeafIndex,
  type Lifetime,
  MlsMessage,
  type Proposal,
  type Welcome,
} from '../../src/wire/index.ts'
import { CredentialType, ProposalType, WireFormat } from '../../src/wire/registry.ts'
import { seededRandom, suiteWith } from '../crypto/suite.ts'
import { VirtualClock } from '../virtualClock.ts'

export const meetingId = 'standup'
const trust: MeetingTrust = { policy: 'open' }

/** Somebody with a device, who may enter the group and enter it again. */
export interface Person {
  readonly name: string
  readonly device: Signer
  readonly own: OwnLeaf
}

/** A person's place in the group, in the epoch that it has reached. */
export interface Participant {
  readonly person: Person
  group: Group
}

export interface PartyOptions {
  readonly policy?: GroupPolicy
  /** Of the GroupContext; a meeting's where they are left out. */
  readonly extensions?: Extensions
  readonly environment?: Partial<GroupEnvironment>
}

/**
 * A meeting's group with all that surrounds it: people with devices, a keyserver that may propose
 * removals, a clock that stands still, and a log that everyone reads in the same order.
 */
export class Party {
  readonly clock = new VirtualClock()
  readonly environment: GroupEnvironment
  readonly suite: SecretSuite
  readonly keyserver: Signer
  readonly extensions: Extensions
  participants: Participant[] = []
  readonly #people: string[] = []

  private constructor(environment: GroupEnvironment, keyserver: Signer, options: PartyOptions) {
    this.environment = {
      ...environment,
      clock: this.clock,
      ...(options.policy === undefined ? {} : { policy: options.policy }),
      ...options.environment,
    }
    this.suite = suiteOf(this.environment)
    this.keyserver = keyserver
    this.extensions =
      options.extensions ?? foundingExtensions(meetingId, trust, externalSenderOf(keyserver))
  }

  /** A group of these people, the first of whom founded it and added the others in one commit. */
  static async of(names: readonly string[], options: PartyOptions = {}): Promise<Party> {
    const { subtle } = globalThis.crypto
    const environment: GroupEnvironment = {
      crypto: webCrypto(subtle, seededRandom(names.join())),
      policy: meetingPolicy({ meetingId, trust }),
      clock: new VirtualClock(),
    }
    const keyserver = await suiteOf(environment).generateSigner()
    const party = new Party(environment, keyserver, options)
    const [founder = 'alice', ...others] = names
    const person = await party.person(founder)
    const group = await Group.found(party.environment, {
      cipherSuite: party.suite.suite.id,
      groupId: party.suite.random(16),
      own: person.own,
      lifetime: party.lifetime(),
      extensions: party.extensions,
    })
    party.participants = [{ person, group }]
    if (others.length > 0) await party.add(founder, others)
    return party
  }

  get externalSender(): ExternalSender {
    return externalSenderOf(this.keyserver)
  }

  /** Valid now, for five minutes. */
  lifetime(seconds = 300): Lifetime {
    const now = BigInt(Math.floor(this.clock.now() / 1000))
    return { notBefore: now - 60n, notAfter: now + BigInt(seconds) }
  }

  /** Somebody with this name; somebody else each time. */
  person(name: string): Promise<Person> {
    const namesakes = this.#people.filter((known) => known === name).length
    this.#people.push(name)
    const key = `${name} ${namesakes}`
    const known = people.get(key) ?? newPerson(name, key)
    people.set(key, known)
    return known
  }

  keyPackage(person: Person, lifetime = this.lifetime()): Promise<KeyPackageBundle> {
    return createKeyPackage(this.suite, person.own, lifetime)
  }

  at(name: string): Participant {
    const found = this.participants.find(({ person }) => person.name === name)
    if (found === undefined) throw new Error(`${name} is not in the group`)
    return found
  }

  group(name: string): Group {
    return this.at(name).group
  }

  leaf(name: string): LeafIndex {
    return this.group(name).leafIndex
  }

  /** Everyone but these, in the order in which they entered. */
  others(...names: readonly string[]): readonly Participant[] {
    return this.participants.filter(({ person }) => !names.includes(person.name))
  }

  /** `by` adds new people, who join by Welcome with the tree given separately. */
  async add(by: string, names: readonly string[]): Promise<void> {
    const people = await Promise.all(names.map((name) => this.person(name)))
    await this.addPeople(by, people)
  }

  async addPeople(
    by: string,
    people: readonly Person[],
    more: readonly Proposal[] = [],
  ): Promise<void> {
    const bundles = await Promise.all(people.map((person) => this.keyPackage(person)))
    const adds = bundles.map(({ keyPackage }) => add(keyPackage))
    const pending = await this.commit(by, [...adds, ...more])
    const group = this.group(by)
    for (const [i, person] of people.entries()) {
      const joined = await Group.join(this.environment, {
        welcome: welcomeIn(pending.welcome),
        bundle: bundles[i] as KeyPackageBundle,
        ratchetTree: async () => group.ratchetTree,
      })
      this.participants.push({ person, group: joined })
    }
  }

  /** A commit that the log takes: everyone applies it. */
  async commit(by: string, proposals: readonly Proposal[] = []): Promise<PendingCommit> {
    const participant = this.at(by)
    const pending = await participant.group.commit({ proposals, authenticatedData: emptyBytes })
    await this.settle(by, pending)
    return pending
  }

  /** `by`'s pending commit has won: `by` confirms it and everyone else receives it. */
  async settle(by: string, pending: PendingCommit): Promise<void> {
    await this.deliver(pending.message, this.others(by))
    const participant = this.at(by)
    participant.group = participant.group.confirm(pending)
  }

  /**
   * Everyone (or `to`) receives a message and none may reject it. Who is removed by it leaves the
   * party.
   */
  async deliver(message: Bytes, to: readonly Participant[] = this.participants): Promise<void> {
    for (const participant of to) {
      const received = await participant.group.receive(message)
      if (received.kind === 'rejected') throw received.error
      if (received.kind === 'commit') participant.group = received.group
      if (received.kind === 'removed') {
        this.participants = this.participants.filter((other) => other !== participant)
      }
    }
  }

  /** Everyone receives a proposal; its reference. */
  async cache(message: Bytes): Promise<Bytes> {
    let ref = emptyBytes
    for (const { group } of this.participants) {
      const received = await group.receive(message)
      if (received.kind === 'rejected') throw received.error
      if (received.kind !== 'proposal') throw new Error(`not a proposal but ${received.kind}`)
      ref = received.ref
    }
    return ref
  }

  /** A proposal of `by`'s, received by everyone. */
  async propose(by: string, proposal: OwnProposal): Promise<Bytes> {
    const message = await this.group(by).propose(proposal)
    await this.deliver(message)
    return message
  }
}

/** Everything that two members of an epoch can compare. */
export function viewOf(group: Group): Readonly<Record<string, unknown>> {
  return {
    epoch: group.epoch,
    treeHash: toHex(group.groupContext.treeHash),
    ownTreeHash: toHex(group.public.tree.treeHash(group.public.crypto)),
    confirmedTranscriptHash: toHex(group.groupContext.confirmedTranscriptHash),
    interimTranscriptHash: toHex(group.public.interimTranscriptHash),
    epochAuthenticator: toHex(group.epochAuthenticator),
    exported: toHex(group.exportSecret('test', utf8('context'), 32).expose()),
    resumptionPsk: toHex(group.resumptionPsk.expose()),
    proposals: [...group.public.proposals.keys()],
  }
}

export function add(
  keyPackage: KeyPackageBundle['keyPackage'],
): Extract<Proposal, { proposalType: typeof ProposalType.add }> {
  return { proposalType: ProposalType.add, keyPackage }
}

export function remove(
  removed: LeafIndex,
): Extract<Proposal, { proposalType: typeof ProposalType.remove }> {
  return { proposalType: ProposalType.remove, removed }
}

export function welcomeIn(message: Bytes | undefined): Welcome {
  if (message === undefined) throw new Error('nobody was added')
  const decoded = decode(MlsMessage, message)
  if (decoded.wireFormat !== WireFormat.welcome) throw new Error('not a Welcome')
  return decoded.welcome
}

export function publicMessageIn(message: Bytes) {
  const decoded = decode(MlsMessage, message)
  if (decoded.wireFormat !== WireFormat.publicMessage) throw new Error('not a PublicMessage')
  return decoded.publicMessage
}

export function groupInfoIn(message: Bytes) {
  const decoded = decode(MlsMessage, message)
  if (decoded.wireFormat !== WireFormat.groupInfo) throw new Error('not a GroupInfo')
  return decoded.groupInfo
}

/** The group that a commit has led to. */
export function groupAfter(received: Received): Group {
  if (received.kind === 'rejected') throw received.error
  if (received.kind !== 'commit') throw new Error(`not a commit but ${received.kind}`)
  return received.group
}

export function sameBytes(a: readonly Bytes[], b: readonly Bytes[]): boolean {
  return a.length === b.length && a.every((bytes, i) => equalBytes(bytes, b[i] as Bytes))
}

/** Making keys is most of the work of a party, and who they belong to makes no difference. */
const people = new Map<string, Promise<Person>>()

async function newPerson(name: string, key: string): Promise<Person> {
  const suite = suiteWith(seededRandom(key))
  const [device, signer] = await Promise.all([suite.generateSigner(), suite.generateSigner()])
  return { name, device, own: await ownLeaf(name, device, signer) }
}

async function ownLeaf(name: string, device: Signer, signer: Signer): Promise<OwnLeaf> {
  const certified = memberTbs(meetingId, signer.publicKey)
  const member = memberExtension({
    deviceKey: device.publicKey,
    deviceSignature: await signWithLabel(device, memberLabel, certified),
    ticket: undefined,
  })
  return {
    signer,
    credential: { credentialType: CredentialType.basic, identity: utf8(name) },
    capabilities: {
      versions: [1],
      cipherSuites: [1, 0x3a3a],
      extensions: [0xf000, 0xf001, 0x1a1a],
      proposals: [ProposalType.selfRemove, 0x2a2a],
      credentials: [CredentialType.basic, 0x4a4a],
    },
    extensions: [member],
  }
}

function externalSenderOf(signer: Signer): ExternalSender {
  const credential = { credentialType: CredentialType.basic, identity: utf8('keyserver') }
  return { signatureKey: signer.publicKey, credential }
}

function suiteOf({ crypto }: GroupEnvironment): SecretSuite {
  const suite = crypto.secretSuite(1)
  if (suite === undefined) throw new Error('suite 1 is missing')
  return suite
}
