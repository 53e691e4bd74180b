import { type Bytes, toHex, utf8 } from '../../../src/codec/bytes.ts'
import { decode } from '../../../src/codec/tls.ts'
import type { Signer } from '../../../src/crypto/secret/index.ts'
import {
  createKeyPackage,
  type KeyPackageBundle,
  lifetimeFrom,
} from '../../../src/mls/bootstrap/index.ts'
import { openCurrent } from '../../../src/mls/group/incoming.ts'
import { Group, type PendingCommit } from '../../../src/mls/group/index.ts'
import {
  type AuthenticatedContent,
  type LeafIndex,
  MlsMessage,
  type Proposal,
  type PublicMessage,
} from '../../../src/wire/index.ts'
import { ContentType, ProposalType, WireFormat } from '../../../src/wire/registry.ts'
import { VirtualClock } from '../../virtualClock.ts'
import { groupInfoIn, viewOf, welcomeIn } from '../party.ts'
import { publicViewOf } from '../refusals.ts'
import { Follower } from './follower.ts'
import { Member, type Met, meet, Surprise } from './inbox.ts'
import { copyOf, Ledger } from './ledger.ts'
import { Chance, damaged, type Letter } from './network.ts'
import { type Fault, groupExtensions, People, type Person } from './people.ts'

export const withEverything = { ratchetTree: true, externalPub: true }
const day = 86_400

/**
 * A group, all its members, who follows it from outside, and the network between them. Every message
 * passes through `post`; whatever does not come to what it should throws.
 */
export class World {
  readonly clock = new VirtualClock()
  readonly ledger = new Ledger()
  readonly met: Met
  readonly people: People
  readonly chance: Chance
  readonly keyserver: Signer
  readonly transcript: Bytes[] = []
  members: Member[] = []
  /** Members that hear nothing at present. */
  lagging: ReadonlySet<Member> = new Set()
  /** KeyPackages that have been given away, by the signature key of whoever waits for a Welcome. */
  readonly waiting = new Map<string, { person: Person; bundle: KeyPackageBundle }>()
  readonly gone: Person[] = []
  readonly #fault: Fault
  readonly #follower = new Follower()
  readonly #verdicts = new Map<Letter, string>()
  readonly #held: Letter[] = []
  #texts = 0

  private constructor(seed: string, met: Met, fault: Fault, keyserver: Signer) {
    this.met = met
    this.#fault = fault
    this.people = new People(seed, this.clock, fault)
    this.chance = new Chance(`network ${seed}`)
    this.keyserver = keyserver
  }

  static async found(seed: string, size: number, met: Met, fault: Fault): Promise<World> {
    const keyserver = await new People(
      `keyserver ${seed}`,
      new VirtualClock(),
    ).suite.generateSigner()
    const world = new World(seed, met, fault, keyserver)
    const person = await world.people.newPerson()
    const group = await Group.found(person.environment, {
      cipherSuite: 1,
      groupId: utf8(`group ${seed}`),
      own: person.own,
      lifetime: world.lifetime(),
      extensions: groupExtensions(keyserver, 0),
    })
    world.enter(person, group)
    world.ledger.begin(group, person)
    await world.#follower.begin(group)
    if (size > 1) {
      const adds = await Promise.all(Array.from({ length: size - 1 }, () => world.newcomerAdd()))
      await world.commit(world.head, { proposals: adds })
    }
    return world
  }

  /** Members that are up to date. */
  get active(): readonly Member[] {
    return this.members.filter((member) => !this.lagging.has(member))
  }

  get head(): Member {
    const [first] = this.active
    if (first === undefined) throw new Surprise('nobody is in the group')
    return first
  }

  get epoch(): bigint {
    return this.head.group.epoch
  }

  get newestEpoch(): bigint {
    return this.members.reduce(
      (newest, { group }) => (group.epoch > newest ? group.epoch : newest),
      0n,
    )
  }

  pick(index: number): Member {
    const { active } = this
    return active[index % active.length] as Member
  }

  lifetime() {
    return lifetimeFrom(this.clock, day)
  }

  enter(person: Person, group: Group): Member {
    const { clock, met } = this
    const member = new Member(person, group, { clock, met, verdicts: this.#verdicts })
    this.members.push(member)
    return member
  }

  /** Somebody new, or somebody who left, and a KeyPackage of theirs. */
  async newcomer(): Promise<KeyPackageBundle> {
    const back = this.chance.once(2) ? this.gone.shift() : undefined
    const person = back ?? (await this.people.newPerson())
    const bundle = await createKeyPackage(this.people.suite, person.own, this.lifetime())
    this.waiting.set(keyOf(person), { person, bundle })
    return bundle
  }

  async newcomerAdd(): Promise<Proposal> {
    const { keyPackage } = await this.newcomer()
    return { proposalType: ProposalType.add, keyPackage }
  }

  /** Everyone gets this, sooner or later; its sender too. */
  async post(kind: 'proposal' | 'commit', from: string, message: Bytes): Promise<void> {
    this.transcript.push(message)
    const letter = { kind, from, epoch: this.epoch, message }
    await this.#send(letter)
    if (kind === 'proposal') await this.#follower.propose(message)
  }

  async say(member: Member): Promise<void> {
    const text = `${member.name} ${this.#texts++}`
    const message = await member.group.protect(utf8(text), utf8('aad'))
    this.transcript.push(message)
    const letter: Letter = {
      kind: 'application',
      epoch: this.epoch,
      from: member.name,
      message,
      text,
    }
    // One in four takes so long that others are on their way before it.
    if (this.chance.once(4)) this.#held.push(letter)
    else await this.#send(letter)
  }

  /** What has taken long arrives now. */
  async deliverHeld(): Promise<void> {
    for (const letter of this.#held.splice(0)) await this.#send(letter)
  }

  async #send(letter: Letter): Promise<void> {
    for (const { name, inbox } of this.members) {
      if (this.#fault.loses?.(name, letter) !== true) inbox.push(letter)
    }
    await this.ledger.sent(letter)
  }

  /** Those who hear something read it; who has been removed is not a member any more. */
  async read(): Promise<void> {
    for (const member of this.active) await member.read(this.chance)
    for (const { removed, person } of this.members) if (removed) this.gone.push(person)
    this.members = this.members.filter(({ removed }) => !removed)
  }

  /** `by` commits, wins, and everyone who hears it is in the next epoch. */
  async commit(
    by: Member,
    options: Parameters<Group['commit']>[0],
    { rivals = [], crashes = false }: { rivals?: readonly Member[]; crashes?: boolean } = {},
  ): Promise<PendingCommit> {
    const made = await by.group.commit({ ...options, groupInfo: withEverything })
    const crashed = crashes ? await by.crash(made) : undefined
    const pending = crashed?.pending ?? made
    const lost: PendingCommit[] = []
    for (const rival of rivals) lost.push(await rival.group.commit())
    const { epoch } = this
    await this.#depart(pending, by)
    const content = await this.contentOf(pending.message, by)
    await this.post('commit', by.name, pending.message)
    if (this.chance.once(2)) {
      const echo = await by.group.receive(pending.message)
      if (echo.kind !== 'own') throw new Surprise(`the echo of a commit is ${echo.kind}`)
    }
    for (const [i, loser] of lost.entries()) {
      loser.discard()
      meet(this.met, 'commit lost')
      const from = rivals[i]?.name as string
      this.transcript.push(loser.message)
      for (const { inbox } of this.members) {
        inbox.push({ kind: 'commit', epoch, from, message: loser.message, lost: true })
      }
    }
    by.confirmed(by.group.confirm(pending))
    if (crashed !== undefined && wholeOf(by.group) !== wholeOf(crashed.uninterrupted)) {
      throw new Surprise(`${by.name} came back with something else`)
    }
    await this.settle(by, pending, content)
    return pending
  }

  /** A newcomer's own commit, or that of somebody who has lost its way and takes its own leaf's place. */
  async enterExternally(person: Person, replaces?: Member): Promise<void> {
    const { head } = this
    const selfRemoves = this.#selfRemoves(head.group)
    const leaf = replaces?.group.leafIndex
    // What it remembers of this commit is not for whoever it replaces.
    const memory = new Set(person.memory)
    const pending = await Group.joinExternally(person.environment, {
      groupInfo: groupInfoIn(await head.group.groupInfo(withEverything)),
      own: person.own,
      selfRemoves,
      groupInfoOptions: withEverything,
      // Who was leaving needs no Remove, which would be invalid.
      ...(leaf === undefined || head.group.public.selfRemoves.has(leaf) ? {} : { replaces: leaf }),
    })
    await this.#depart(pending, undefined, { ...person, memory })
    if (replaces !== undefined) {
      this.members = this.members.filter((member) => member !== replaces)
    }
    const content = await this.contentOf(pending.message, head)
    await this.post('commit', person.name, pending.message)
    const member = this.enter(person, Group.enter(pending))
    meet(this.met, replaces === undefined ? 'joined externally' : 'came back by itself')
    await this.settle(member, pending, content)
    await this.ledger.entered(member.group, person)
  }

  /** The commit's content, as a member can read it. */
  async contentOf(message: Bytes, by: Member): Promise<AuthenticatedContent> {
    const decoded = decode(MlsMessage, message)
    if (decoded.wireFormat === WireFormat.publicMessage) {
      const { content, auth } = decoded.publicMessage
      return { wireFormat: WireFormat.publicMessage, content, auth }
    }
    const other = this.active.find((member) => member !== by) as Member
    const opened = await openCurrent(copyOf(other.group, other.person), decoded as never)
    return opened.authenticated
  }

  async settle(
    by: Member,
    pending: PendingCommit,
    authenticated: AuthenticatedContent,
  ): Promise<void> {
    const { content, auth } = authenticated
    if (content.contentType !== ContentType.commit) throw new Surprise('not a commit')
    const { path } = content.commit
    meet(this.met, path === undefined ? 'commit without a path' : 'commit with a path')
    await this.ledger.passed({
      epoch: content.epoch,
      path,
      effect: pending.effect,
      context: by.group.groupContext,
      confirmationTag: auth.confirmationTag as Bytes,
    })
    this.ledger.begin(by.group, by.person)
    await this.read()
    if (await this.#follower.commit(pending, authenticated, by.group)) {
      meet(this.met, 'followed from outside')
    }
    await this.#welcome(pending)
    await this.check()
  }

  /** Who is up to date agrees on everything, and so does who follows from outside. */
  async check(): Promise<void> {
    const current = this.active.filter(({ missed }) => !missed)
    const [first, ...others] = current.map(({ group }) => JSON.stringify(viewOf(group), plain))
    for (const [i, view] of others.entries()) {
      if (view !== first) throw new Surprise(`${current[i + 1]?.name} disagrees: ${view} ${first}`)
    }
    const { group } = current[0] as Member
    const roster = group.members.map(({ leafNode }) => toHex(leafNode.signatureKey)).sort()
    const keysOf = (members: readonly Member[]) => members.map(({ person }) => keyOf(person))
    const known = keysOf(this.members)
    if (keysOf(current).some((key) => !roster.includes(key)))
      throw new Surprise('a member is left out')
    if (roster.some((key) => !known.includes(key))) throw new Surprise('a stranger is a member')
    const { group: follower } = this.#follower
    if (follower !== undefined) {
      const outside = JSON.stringify(publicViewOf(follower), plain)
      if (outside !== JSON.stringify(publicViewOf(group.public), plain)) {
        throw new Surprise('who follows from outside disagrees')
      }
    }
    await this.ledger.check(group)
  }

  /** Somebody's message arrives with a bit changed; nobody may notice more than that. */
  async disturb(member: Member, message: Bytes): Promise<void> {
    const before = JSON.stringify(viewOf(member.group), plain)
    const received = await member.group.receive(damaged(message, this.chance))
    const { kind } = received
    if (kind === 'future-epoch' && received.kept) member.damagedKept += 1
    meet(this.met, `damaged ${kind}`)
    if (['application', 'proposal', 'commit', 'removed'].includes(kind)) {
      throw new Surprise(`a damaged message is ${kind}`)
    }
    if (JSON.stringify(viewOf(member.group), plain) !== before) {
      throw new Surprise('a damaged message has changed something')
    }
  }

  /** Whoever this commit removes goes on as an outsider with all that it has. */
  async #depart(pending: PendingCommit, by: Member | undefined, newcomer?: Person): Promise<void> {
    const removed = new Set<LeafIndex>(pending.effect.removed)
    const leafOf = new Map(
      this.head.group.members.map(({ leafIndex, leafNode }) => [
        toHex(leafNode.signatureKey),
        leafIndex,
      ]),
    )
    for (const member of this.members) {
      const leaf = leafOf.get(keyOf(member.person))
      if (member === by || leaf === undefined || !removed.has(leaf)) continue
      meet(this.met, 'removed')
      const person = member.name === newcomer?.name ? newcomer : member.person
      await this.ledger.left(member.group, person, this.epoch)
    }
  }

  async #welcome(pending: PendingCommit): Promise<void> {
    for (const { keyPackage } of pending.effect.added) {
      const key = toHex(keyPackage.leafNode.signatureKey)
      const newcomer = this.waiting.get(key)
      if (newcomer === undefined) throw new Surprise('nobody waits for this Welcome')
      this.waiting.delete(key)
      const { person, bundle } = newcomer
      const group = await Group.join(person.environment, {
        welcome: welcomeIn(pending.welcome),
        bundle,
      })
      const member = this.enter(person, group)
      meet(this.met, 'joined by Welcome')
      await this.ledger.entered(member.group, person)
    }
  }

  #selfRemoves(group: Group): readonly PublicMessage[] {
    if (group.public.selfRemoves.size === 0) return []
    return this.transcript.flatMap((message) => {
      const decoded = decode(MlsMessage, message)
      if (decoded.wireFormat !== WireFormat.publicMessage) return []
      const { publicMessage } = decoded
      const { content } = publicMessage
      return content.contentType === ContentType.proposal &&
        content.epoch === group.epoch &&
        content.proposal.proposalType === ProposalType.selfRemove
        ? [publicMessage]
        : []
    })
  }
}

/** All that a member has of its group, in hexadecimal form. */
function wholeOf(group: Group): string {
  return toHex(group.encodeState().expose())
}

export function keyOf({ own }: Person): string {
  return toHex(own.signer.publicKey)
}

/** For JSON, which knows no bigint. */
export function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
