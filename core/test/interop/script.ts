import { expect } from 'vitest'
import { type Bytes, emptyBytes, equalBytes } from '../../src/codec/bytes.ts'
import { decode, encode } from '../../src/codec/tls.ts'
import type { OwnProposal } from '../../src/mls/group/index.ts'
import { KeyPackage, type LeafIndex, RequiredCapabilities } from '../../src/wire/index.ts'
import { CredentialType, ExtensionType, ProposalType, PskType } from '../../src/wire/registry.ts'
import type { Random } from '../wire/mutation/random.ts'
import type { Conclave } from './conclave.ts'
import {
  type Framing,
  type Library,
  type Member,
  type OwnKeyPackage,
  type Person,
  pskId,
} from './member.ts'
import type { TsMls } from './tsMls.ts'
import { followsLeaves, refusesTree } from './tsMlsLimits.ts'

interface Participant {
  readonly person: Person
  readonly member: Member
}

/** Somebody who is to be added, and the library with which it joins. */
interface Newcomer {
  readonly own: OwnKeyPackage
  readonly library: Library
}

/** A proposal that waits for a commit. */
interface Waiting {
  readonly proposal: 'Update' | 'Add' | 'Remove' | 'PreSharedKey' | 'GroupContextExtensions'
  /** The leaf that it removes. */
  readonly removes?: number
  /** Whom it adds. */
  readonly adds?: Newcomer
}

const maxMembers = 8

/** What happened how often. */
export type Tally = Map<string, number>

/**
 * A group whose members each use one of both libraries, in which something random happens at each
 * step. After each step all members agree on everything that they can compare.
 */
export class Script {
  readonly #random: Random
  readonly #libraries: readonly [Conclave, TsMls]
  readonly #tally: Tally
  #participants: Participant[] = []
  /** In the order in which they were proposed. */
  #waiting: readonly Waiting[] = []
  #names = 0

  private constructor(random: Random, libraries: readonly [Conclave, TsMls], tally: Tally) {
    this.#random = random
    this.#libraries = libraries
    this.#tally = tally
  }

  static async of(
    libraries: readonly [Conclave, TsMls],
    founder: Library['name'],
    random: Random,
    tally: Tally,
  ): Promise<Script> {
    const script = new Script(random, libraries, tally)
    const person = await script.#person()
    const [conclave, tsMls] = libraries
    const library: Library = founder === 'conclave' ? conclave : tsMls
    const member = await library.found(person, random.bytes(16))
    script.#participants = [{ person, member }]
    // From both libraries, so that none is alone.
    for (const each of libraries) await script.#addBy(script.#pick(), [each])
    await script.agree()
    return script
  }

  async step(): Promise<void> {
    const kinds = [
      ...['propose', 'propose', 'propose', 'commit', 'commit', 'add', 'remove', 'external'],
      ...['resync', 'application', 'application', 'late', 'lost', 'context', 'restart'],
    ]
    const kind = this.#random.pick(kinds)
    switch (kind) {
      case 'propose':
        await this.#propose()
        break
      case 'commit':
        await this.#commit(this.#committer(), [])
        break
      case 'add':
        await this.#add()
        break
      case 'remove':
        await this.#remove()
        break
      case 'external':
        await this.#joinExternally()
        break
      case 'resync':
        await this.#resync()
        break
      case 'application':
        await this.#application()
        break
      case 'late':
        await this.#late()
        break
      case 'lost':
        await this.#lose()
        break
      case 'context':
        await this.#changeContext()
        break
      case 'restart':
        await this.#restart()
        break
    }
    await this.agree()
  }

  async agree(): Promise<void> {
    const [first, ...others] = await Promise.all(
      this.#participants.map(({ member }) => member.view()),
    )
    for (const view of others) expect(view).toEqual(first)
  }

  // What happens

  async #propose(): Promise<void> {
    const { member } = this.#pick()
    const framing = this.#framing()
    switch (this.#random.pick(['update', 'update', 'add', 'remove', 'psk'] as const)) {
      case 'update':
        return this.#announce(member, await member.proposeUpdate(framing), { proposal: 'Update' })
      case 'add': {
        if (this.#room() === 0) return
        const adds = await this.#newcomer(this.#random.pick(this.#libraries))
        const message = await member.propose(add(adds), framing)
        return this.#announce(member, message, { proposal: 'Add', adds })
      }
      case 'remove': {
        const removed = this.#removable()
        if (removed === undefined) return
        const { leafIndex } = removed.member
        const message = await member.propose(remove(leafIndex), framing)
        return this.#announce(member, message, {
          proposal: 'Remove',
          removes: leafIndex,
        })
      }
      case 'psk': {
        const message = await member.propose(this.#psk(), framing)
        return this.#announce(member, message, { proposal: 'PreSharedKey' })
      }
    }
  }

  async #announce(from: Member, message: Bytes, waiting: Waiting): Promise<void> {
    this.#count(`${waiting.proposal} by ${from.library}`)
    for (const { member } of this.#participants) {
      if (member !== from) expect((await member.receive(message)).kind).toBe('proposal')
    }
    this.#waiting = [...this.#waiting, waiting]
  }

  async #add(): Promise<void> {
    const room = Math.min(this.#room(), 1 + this.#random.below(2))
    const libraries = Array.from({ length: room }, () => this.#random.pick(this.#libraries))
    await this.#addBy(this.#committer(), libraries)
  }

  async #addBy(committer: Participant, libraries: readonly Library[]): Promise<void> {
    const newcomers = await Promise.all(libraries.map((library) => this.#newcomer(library)))
    await this.#commit(committer, newcomers.map(add), newcomers)
  }

  async #remove(): Promise<void> {
    const committer = this.#committer()
    const removed = this.#removable()
    if (removed === undefined || removed === committer) return
    await this.#commit(committer, [remove(removed.member.leafIndex)])
  }

  /** A commit that everyone takes, and those whom it adds join by its Welcome. */
  async #commit(
    { member: by }: Participant,
    proposals: readonly OwnProposal[],
    added: readonly Newcomer[] = [],
  ): Promise<void> {
    const inWelcome = this.#random.below(2) === 0
    const removed = this.#waiting.flatMap(({ removes }) => removes ?? [])
    const newcomers = [...this.#waiting.flatMap(({ adds }) => adds ?? []), ...added]
    const { message, welcome, confirm } = await by.commit({
      ...this.#framing(),
      proposals,
      path: this.#random.below(2) === 0,
      ratchetTree: inWelcome,
    })
    for (const proposal of proposals) {
      if (proposal.proposalType === ProposalType.remove) removed.push(proposal.removed)
    }
    await this.#deliver(message, by, removed, newcomers.length)
    confirm()
    this.#waiting = []
    this.#count(`commit by ${by.library}`)
    expect(welcome === undefined).toBe(newcomers.length === 0)
    const tree = by.ratchetTree()
    for (const { own, library: preferred } of newcomers) {
      await this.#entering(preferred, tree, async (library) => {
        const given = inWelcome ? undefined : tree
        const member = await library.join(welcome ?? emptyBytes, own, given)
        this.#participants.push({ person: own.person, member })
        this.#count(`Welcome from ${by.library} to ${library.name}`)
      })
    }
  }

  async #joinExternally(): Promise<void> {
    if (this.#room() === 0) return
    await this.#enter(this.#random.pick(this.#libraries), await this.#person(), undefined)
  }

  /** Somebody forgets its state and enters again in the place of its old leaf. */
  async #resync(): Promise<void> {
    const lost = this.#pick()
    if (this.#participants.length < 2) return
    this.#participants = this.#participants.filter((other) => other !== lost)
    await this.#enter(this.#random.pick(this.#libraries), lost.person, lost.member.leafIndex)
  }

  async #enter(preferred: Library, person: Person, replaces: number | undefined): Promise<void> {
    const { member: host } = this.#pick()
    const inGroupInfo = this.#random.below(2) === 0
    const groupInfo = await host.groupInfo({ ratchetTree: inGroupInfo })
    const tree = host.ratchetTree()
    const ratchetTree = inGroupInfo ? undefined : tree
    await this.#entering(preferred, tree, async (library) => {
      const join = { groupInfo, ratchetTree, replaces }
      const { message, member } = await library.joinExternally(person, join)
      await this.#deliver(message, undefined, [], 0)
      this.#waiting = []
      this.#participants.push({ person, member })
      const what = replaces === undefined ? 'external join' : 'resync'
      this.#count(`${what} from ${host.library} by ${library.name}`)
    })
  }

  /** Ours enters where ts-mls cannot. */
  async #entering(
    preferred: Library,
    tree: Bytes,
    enter: (library: Library) => Promise<void>,
  ): Promise<void> {
    if (preferred.name === 'conclave' || !refusesTree(tree)) return enter(preferred)
    await expect(enter(preferred)).rejects.toThrow('must list leaf node in its unmerged_leaves')
    this.#count('valid tree that ts-mls refuses')
    return enter(this.#libraries[0])
  }

  /** Everyone else takes the commit and goes on, but for those whom it removes. */
  async #deliver(
    message: Bytes,
    from: Member | undefined,
    removed: readonly number[],
    added: number,
  ): Promise<void> {
    const stay = this.#participants.filter(({ member }) => !removed.includes(member.leafIndex))
    const taken = stay.map(({ member }) => member.leafIndex)
    const free = Array.from({ length: 2 * maxMembers }, (_, leaf) => leaf).filter(
      (leaf) => !taken.includes(leaf),
    )
    for (const { member } of this.#participants) {
      const { library, leafIndex } = member
      if (member === from) continue
      if (taken.includes(leafIndex)) {
        expect((await member.receive(message)).kind).toBe('commit')
      } else if (library === 'ts-mls' && free.indexOf(leafIndex) < added) {
        await expect(member.receive(message)).rejects.toThrow('No overlap')
        this.#count('removal that ts-mls does not understand')
      } else {
        expect((await member.receive(message)).kind).toBe('removed')
        this.#count(`removal of ${library}`)
      }
    }
    this.#participants = stay
  }

  /** Committed by ours: ts-mls does so without the path that RFC 9420 §12.4 asks for. */
  async #changeContext(): Promise<void> {
    const { member } = this.#pick()
    const committer = this.#committer()
    if (committer.member.library === 'ts-mls') return
    const message = await member.propose(this.#context(), this.#framing())
    await this.#announce(member, message, { proposal: 'GroupContextExtensions' })
    await this.#commit(committer, [])
  }

  async #application(): Promise<void> {
    if (this.#waiting.length > 0) return
    const { member: from } = this.#pick()
    const sent = await this.#protected(from)
    // In any order.
    for (const each of this.#random.below(2) === 0 ? sent : sent.toReversed()) {
      await this.#opened(each, from)
    }
    this.#count(`application data by ${from.library}`)
  }

  /** Application data that arrives in the next epoch. */
  async #late(): Promise<void> {
    if (this.#waiting.length > 0) return
    const { member: from } = this.#pick()
    const sent = await this.#protected(from)
    await this.#commit(this.#committer(), [])
    for (const each of sent) await this.#opened(each, from)
    this.#count(`late application data by ${from.library}`)
  }

  async #restart(): Promise<void> {
    const { member } = this.#pick()
    // What ts-mls stores of a proposal by leaf 0 is that nobody sent it.
    if (member.library === 'ts-mls' && this.#waiting.length > 0) return
    await member.restart()
    this.#count(`restart of ${member.library}`)
  }

  async #protected(from: Member): Promise<readonly { data: Bytes; message: Bytes }[]> {
    const sent = []
    for (let i = 0; i < 3; i++) {
      const data = this.#random.bytes(this.#random.below(600))
      sent.push({ data, message: await from.protect(data, this.#random.bytes(i)) })
    }
    return sent
  }

  async #opened(sent: { data: Bytes; message: Bytes }, from: Member): Promise<void> {
    for (const { member } of this.#participants) {
      if (member === from) continue
      const received = await member.receive(sent.message)
      expect(received.kind === 'application' && equalBytes(received.data, sent.data)).toBe(true)
    }
  }

  /** Two commit at once. */
  async #lose(): Promise<void> {
    const loser = this.#committer()
    const winner = this.#committer()
    if (loser === winner) return
    const plan = { ...this.#framing(), proposals: [], path: true, ratchetTree: false }
    const { discard } = await loser.member.commit(plan)
    await this.#commit(winner, [])
    discard()
    this.#count(`lost commit of ${loser.member.library}`)
  }

  // Whom and what it concerns

  #pick(): Participant {
    return this.#random.pick(this.#participants)
  }

  /** Somebody whom no waiting proposal removes. */
  #committer(): Participant {
    const removed = this.#waiting.map(({ removes }) => removes)
    return this.#random.pick(
      this.#participants.filter(({ member }) => !removed.includes(member.leafIndex)),
    )
  }

  #room(): number {
    const coming = this.#waiting.filter(({ adds }) => adds !== undefined)
    return maxMembers - this.#participants.length - coming.length
  }

  /** Somebody who can go without leaving fewer than two members, or more than ts-mls can follow. */
  #removable(): Participant | undefined {
    const gone = this.#waiting.map(({ removes }) => removes)
    const present = this.#participants.filter(({ member }) => !gone.includes(member.leafIndex))
    const removable = present.filter((participant) => {
      const leaves = present
        .filter((other) => other !== participant)
        .map(({ member }) => member.leafIndex)
      return leaves.length >= 2 && followsLeaves(leaves)
    })
    return removable.length === 0 ? undefined : this.#random.pick(removable)
  }

  #framing(): Framing {
    return {
      encrypted: this.#random.below(2) === 0,
      authenticatedData: this.#random.bytes(this.#random.below(20)),
    }
  }

  #psk(): OwnProposal {
    const [{ suite }] = this.#libraries
    const psk = { pskType: PskType.external, pskId, pskNonce: this.#random.bytes(suite.suite.Nh) }
    return { proposalType: ProposalType.psk, psk }
  }

  /** Requires nothing that not all have. */
  #context(): OwnProposal {
    const types = [CredentialType.basic].slice(this.#random.below(2))
    const extensionData = encode(RequiredCapabilities, {
      extensionTypes: [],
      proposalTypes: [],
      credentialTypes: types,
    })
    const extensions = [{ extensionType: ExtensionType.requiredCapabilities, extensionData }]
    return { proposalType: ProposalType.groupContextExtensions, extensions }
  }

  #person(): Promise<Person> {
    return this.#libraries[0].person(`p${this.#names++}`)
  }

  async #newcomer(library: Library): Promise<Newcomer> {
    return { own: await library.keyPackage(await this.#person()), library }
  }

  #count(what: string): void {
    this.#tally.set(what, (this.#tally.get(what) ?? 0) + 1)
  }
}

function add({ own }: Newcomer): OwnProposal {
  return { proposalType: ProposalType.add, keyPackage: decode(KeyPackage, own.keyPackage) }
}

function remove(leafIndex: number): OwnProposal {
  return { proposalType: ProposalType.remove, removed: leafIndex as LeafIndex }
}
