import { type Bytes, decode, utf8 } from '@conclave/core/codec'
import { Secret, type Signer } from '@conclave/core/crypto/secret'
import {
  calledHash,
  foundingExtensions,
  meetingPolicy,
  type RoomDescription,
} from '@conclave/core/meeting'
import { createKeyPackage, type KeyPackageBundle } from '@conclave/core/mls/bootstrap'
import {
  type CommitOptions,
  Group,
  type PendingCommit,
  type Received,
} from '@conclave/core/mls/group'
import { type LeafIndex, MlsMessage, type Proposal, ProposalType } from '@conclave/core/wire'
import { generateRemovalSigner, type RemovalSigner } from '@conclave/keyserver'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { systemRandom } from '../../src/index.ts'
import { RoomBond, type RoomEnvironment } from '../../src/rooms/roomBond.ts'
import { branchOff, joinGroup } from '../../src/rooms/roomEntry.ts'
import {
  crypto,
  encodedRemoval,
  envelope,
  leafOf,
  meetingId,
  suite,
} from '../session/support/people.ts'

/** Somebody in a meeting and in one of its rooms, without sessions around the groups. */
export class Person {
  readonly name: string
  readonly device: Signer
  parent: Group
  bond: RoomBond | undefined
  room: Group | undefined
  /** Of the leaf that they last wanted to have in the room. */
  signer: Signer
  /** Whether their program keeps no rule of rooms, and makes keys up that it has not. */
  lawless = false
  /** Whether they were removed from the meeting, of which they know nothing. */
  expelled = false

  constructor(name: string, device: Signer, parent: Group) {
    this.name = name
    this.device = device
    this.signer = device
    this.parent = parent
  }

  get inRoom(): Group {
    if (this.room === undefined) throw new Error(`${this.name} is in no room`)
    return this.room
  }
  get tie(): RoomBond {
    if (this.bond === undefined) throw new Error(`${this.name} has no room`)
    return this.bond
  }
}

/** A meeting's group and a room of it, whose every message the test hands on itself. */
export class Party {
  readonly clock = new VirtualClock(Date.now())
  readonly people = new Map<string, Person>()
  readonly keyserver: RemovalSigner
  #description: RoomDescription | undefined

  private constructor(keyserver: RemovalSigner) {
    this.keyserver = keyserver
  }

  static async of(...names: readonly string[]): Promise<Party> {
    const party = new Party(await generateRemovalSigner(globalThis.crypto.subtle))
    for (const name of names) await party.admit(name)
    return party
  }

  at(name: string): Person {
    const person = this.people.get(name)
    if (person === undefined) throw new Error(`there is no ${name}`)
    return person
  }

  /** Somebody comes into the meeting. */
  async admit(name: string): Promise<Person> {
    const device = await suite.generateSigner()
    const own = await leafOf(name, meetingId, undefined, device)
    const first = [...this.people.values()].find(({ expelled }) => !expelled)
    if (first === undefined) {
      const founder = await Group.found(this.#parentEnvironment, {
        cipherSuite: 1,
        groupId: systemRandom(16),
        own,
        lifetime: this.lifetime(),
        extensions: foundingExtensions(
          meetingId,
          { policy: 'open' },
          this.keyserver.externalSender,
        ),
      })
      return this.#keep(new Person(name, device, founder))
    }
    const bundle = await createKeyPackage(suite, own, this.lifetime())
    const pending = await first.parent.commit({
      proposals: [{ proposalType: ProposalType.add, keyPackage: bundle.keyPackage }],
      authenticatedData: envelope(0),
    })
    const parent = await Group.join(this.#parentEnvironment, joining(pending, bundle))
    await this.#parentCommitted(first, pending)
    return this.#keep(new Person(name, device, parent))
  }

  /** New keys for somebody's leaf in the meeting, which everybody but `unaware` learns of. */
  async healParent(name: string, unaware: readonly string[] = []): Promise<Bytes> {
    const person = this.at(name)
    const pending = await person.parent.commit({ authenticatedData: envelope(0) })
    await this.#parentCommitted(person, pending, unaware)
    return pending.message
  }

  /** The keyserver asks for somebody's removal from the meeting, and `by` commits it. */
  async expel(name: string, by: string): Promise<void> {
    const committer = this.at(by)
    const { groupContext, leafIndex } = this.at(name).parent
    const removal = encodedRemoval(await this.keyserver.signRemoval(groupContext, leafIndex))
    for (const person of this.people.values()) await person.parent.receive(removal)
    const pending = await committer.parent.commit({ authenticatedData: envelope(0) })
    this.at(name).expelled = true
    await this.#parentCommitted(committer, pending)
  }

  /** Takes in a commit of the meeting. */
  async learn(name: string, message: Bytes): Promise<void> {
    const person = this.at(name)
    const received = await person.parent.receive(message)
    if (received.kind !== 'commit') throw new Error(`${name}: ${received.kind}`)
    person.parent = received.group
    person.bond?.parentEpochBegan(received.group)
  }

  /** Opens a room; whoever is called has what it takes to enter. */
  async open(by: string, ...called: readonly string[]): Promise<void> {
    const founder = this.at(by)
    this.#description = {
      parentGroupId: founder.parent.groupId,
      nonce: systemRandom(16),
      name: utf8('room'),
      called: [by, ...called].map((name) => calledHash(suite, utf8(name))),
    }
    const bond = this.tie(by)
    const room = await Group.found(this.environment(by), {
      cipherSuite: 1,
      groupId: systemRandom(16),
      own: await leafOf(by, bond.meetingId, undefined, founder.device),
      lifetime: this.lifetime(),
      extensions: foundingExtensions(
        bond.meetingId,
        { policy: 'branch' },
        this.keyserver.externalSender,
      ),
    })
    const pending = await branchOff(bond, room, {})
    founder.room = room.confirm(pending)
    bond.committed(pending.effect)
  }

  tie(name: string): RoomBond {
    const person = this.at(name)
    if (this.#description === undefined) throw new Error('no room is open')
    person.bond ??= new RoomBond({
      parentMeetingId: meetingId,
      description: this.#description,
      parent: person.parent,
      clock: this.clock,
      random: systemRandom,
    })
    return person.bond
  }

  environment(name: string): RoomEnvironment {
    const bond = this.tie(name)
    const person = this.at(name)
    const trust = { policy: 'branch' } as const
    const policy = meetingPolicy({ meetingId: bond.meetingId, trust, parent: bond })
    const madeUp = new Secret(new Uint8Array(32))
    return {
      crypto,
      clock: this.clock,
      policy: {
        ...policy,
        checkLeaf: async (...leaf) => {
          if (!person.lawless) await policy.checkLeaf(...leaf)
        },
        checkProposal: (...proposal) => {
          if (!person.lawless) policy.checkProposal(...proposal)
        },
        checkReferable: (...proposal) => {
          if (!person.lawless) policy.checkReferable?.(...proposal)
        },
        checkProposals: (...proposals) => {
          if (!person.lawless) policy.checkProposals(...proposals)
        },
      },
      preSharedKey: (id) => bond.preSharedKey(id) ?? (person.lawless ? madeUp : undefined),
      room: bond,
    }
  }

  /** Somebody's KeyPackage for the room. */
  async knock(name: string): Promise<KeyPackageBundle> {
    const { device } = this.at(name)
    const signer = await suite.generateSigner()
    this.at(name).signer = signer
    const own = await leafOf(name, this.tie(name).meetingId, signer, device)
    return createKeyPackage(suite, own, this.lifetime())
  }

  /** Adds somebody to the room; the Welcome is theirs to take. */
  async add(by: string, name: string): Promise<void> {
    const bundle = await this.knock(name)
    const add = { proposalType: ProposalType.add, keyPackage: bundle.keyPackage } as const
    const pending = await this.commit(by, [add])
    this.at(name).room = await joinGroup(this.environment(name), joining(pending, bundle))
  }

  /** A commit of the room as a session makes it, which all who are in there take in. */
  async commit(by: string, proposals: readonly Proposal[] = []): Promise<PendingCommit> {
    const pending = await this.prepare(by, proposals)
    await this.accept(by, pending)
    return pending
  }

  async prepare(by: string, proposals: readonly Proposal[] = []): Promise<PendingCommit> {
    const { inRoom, tie } = this.at(by)
    return this.forge(by, [...tie.proposalsIn(inRoom.public, inRoom.leafIndex), ...proposals])
  }

  /** A commit with these proposals and nothing else. */
  forge(by: string, proposals: CommitOptions['proposals'] = []): Promise<PendingCommit> {
    return this.at(by).inRoom.commit({ proposals, authenticatedData: envelope(0) })
  }

  /** Everybody else who is in the room, and still in the meeting, takes it in. */
  async accept(by: string, pending: PendingCommit): Promise<void> {
    for (const { name, room, expelled } of this.people.values()) {
      if (name === by || room === undefined || expelled) continue
      const received = await this.receive(name, pending.message)
      if (received.kind !== 'commit') throw errorOf(received)
    }
    const committer = this.at(by)
    committer.room = committer.inRoom.confirm(pending)
    committer.tie.committed(pending.effect)
  }

  async receive(name: string, message: Bytes): Promise<Received> {
    const person = this.at(name)
    const received = await person.inRoom.receive(message)
    if (received.kind === 'commit') {
      person.room = received.group
      person.tie.committed(received.effect)
    }
    return received
  }

  leafInRoom(name: string): LeafIndex {
    return this.at(name).inRoom.leafIndex
  }

  lifetime() {
    const now = BigInt(Math.floor(this.clock.now() / 1000))
    return { notBefore: now - 60n, notAfter: now + 600n }
  }

  get #parentEnvironment() {
    const policy = meetingPolicy({ meetingId, trust: { policy: 'open' } })
    return { crypto, clock: this.clock, policy }
  }

  #keep(person: Person): Person {
    this.people.set(person.name, person)
    return person
  }

  async #parentCommitted(
    committer: Person,
    pending: PendingCommit,
    unaware: readonly string[] = [],
  ): Promise<void> {
    for (const { name, expelled } of this.people.values()) {
      if (name === committer.name || expelled || unaware.includes(name)) continue
      await this.learn(name, pending.message)
    }
    committer.parent = committer.parent.confirm(pending)
    committer.bond?.parentEpochBegan(committer.parent)
  }
}

export function joining(pending: PendingCommit, bundle: KeyPackageBundle) {
  const message = decode(MlsMessage, pending.welcome as Bytes)
  if (!('welcome' in message)) throw new Error('no Welcome')
  const ratchetTree = pending.effect.tree.toRatchetTree()
  return {
    welcome: message.welcome,
    bundle,
    ratchetTree: () => Promise.resolve(ratchetTree),
  }
}

/** Why a message was not taken. */
export function errorOf(received: Received): Error {
  return 'error' in received ? received.error : new Error(received.kind)
}
