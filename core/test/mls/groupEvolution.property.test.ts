import fc from 'fast-check'
import { expect, it } from 'vitest'
import { emptyBytes } from '../../src/codec/bytes.ts'
import { decode, encode } from '../../src/codec/tls.ts'
import { Group } from '../../src/mls/group/index.ts'
import { PublicGroup } from '../../src/mls/public/index.ts'
import { RatchetTree } from '../../src/wire/index.ts'
import { SenderType } from '../../src/wire/registry.ts'
import { epochOf, frameProposal } from './malformed.ts'
import {
  add,
  groupInfoIn,
  Party,
  type Person,
  publicMessageIn,
  remove,
  viewOf,
  welcomeIn,
} from './party.ts'
import { publicViewOf } from './refusals.ts'

/** One step of a group's life. Numbers are taken modulo how many there are to choose from. */
type Step =
  | { readonly kind: 'commit'; readonly by: number }
  | { readonly kind: 'add'; readonly by: number; readonly newcomers: number }
  | { readonly kind: 'leave'; readonly by: number; readonly leaver: number }
  | { readonly kind: 'expel'; readonly by: number; readonly expelled: readonly number[] }
  | { readonly kind: 'return'; readonly by: number; readonly who: number }
  | { readonly kind: 'replace'; readonly by: number; readonly leaver: number }
  | { readonly kind: 'lose'; readonly by: number; readonly winner: number }

const who = fc.nat(15)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('commit'), by: who }),
  fc.record({ kind: fc.constant('add'), by: who, newcomers: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('leave'), by: who, leaver: who }),
  fc.record({
    kind: fc.constant('expel'),
    by: who,
    expelled: fc.array(who, { minLength: 1, maxLength: 6 }),
  }),
  fc.record({ kind: fc.constant('return'), by: who, who }),
  fc.record({ kind: fc.constant('replace'), by: who, leaver: who }),
  fc.record({ kind: fc.constant('lose'), by: who, winner: who }),
)

const maxMembers = 16

/** What the runs have to have met for the test to show anything. */
const met = { blanks: 0, unmerged: 0, truncated: 0, grown: 0, returned: 0, lost: 0 }

class Evolution {
  readonly party: Party
  readonly #gone: Person[] = []
  #follower: PublicGroup
  #names = 0

  private constructor(party: Party, follower: PublicGroup) {
    this.party = party
    this.#follower = follower
  }

  static async start(): Promise<Evolution> {
    const party = await Party.of(['founder'])
    return new Evolution(party, await openedFrom(party))
  }

  async take(step: Step): Promise<void> {
    const { party } = this
    const by = this.#pick(step.by)
    switch (step.kind) {
      case 'commit':
        return this.#commit(by, [])
      case 'add': {
        const room = Math.min(step.newcomers, maxMembers - party.participants.length)
        const names = Array.from({ length: room }, () => `p${this.#names++}`)
        return this.#commit(by, await Promise.all(names.map((name) => party.person(name))))
      }
      case 'leave': {
        const leaver = this.#pick(step.leaver)
        if (leaver === by) return this.#commit(by, [])
        await this.#propose(await party.group(leaver).proposeSelfRemove())
        return this.#commit(by, [])
      }
      case 'expel': {
        const expelled = new Set(step.expelled.map((index) => this.#pick(index)))
        expelled.delete(by)
        await this.#expel(by, [...expelled])
        return this.#commit(by, [])
      }
      case 'return': {
        const person = this.#gone.splice(step.who % Math.max(1, this.#gone.length), 1)
        if (party.participants.length === maxMembers) return this.#commit(by, [])
        met.returned += person.length
        return this.#commit(by, person)
      }
      case 'replace': {
        const leaver = this.#pick(step.leaver)
        if (leaver === by) return this.#commit(by, [])
        await this.#expel(by, [leaver])
        return this.#commit(by, [await party.person(`p${this.#names++}`)])
      }
      case 'lose': {
        const lost = await party.group(by).commit({ authenticatedData: emptyBytes })
        await this.#commit(this.#pick(step.winner), [])
        lost.discard()
        met.lost++
        return
      }
    }
  }

  #pick(index: number): string {
    const { participants } = this.party
    return participants[index % participants.length]?.person.name ?? 'nobody'
  }

  async #expel(by: string, names: readonly string[]): Promise<void> {
    const epoch = await epochOf(this.party.group(by))
    for (const name of names) {
      const sender = { senderType: SenderType.external, senderIndex: 0 } as const
      const signer = this.party.keyserver
      await this.#propose(
        await frameProposal(epoch, remove(this.party.leaf(name)), { sender, signer }),
      )
    }
  }

  async #propose(message: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.party.deliver(message)
    const { group } = await this.#follower.withProposal(publicMessageIn(message))
    this.#follower = group
  }

  async #commit(by: string, people: readonly Person[]): Promise<void> {
    const { party } = this
    const width = party.group(by).public.tree.leafCount
    const before = party.participants.map(({ person }) => person)
    const bundles = await Promise.all(people.map((person) => party.keyPackage(person)))
    const pending = await party.commit(
      by,
      bundles.map(({ keyPackage }) => add(keyPackage)),
    )
    const stayed = new Set(party.participants.map(({ person }) => person))
    this.#gone.push(...before.filter((person) => !stayed.has(person)))
    const group = party.group(by)
    for (const [i, bundle] of bundles.entries()) {
      const joined = await Group.join(party.environment, {
        welcome: welcomeIn(pending.welcome),
        bundle,
        // Over the wire and back, so that a tree that cannot be encoded would show.
        ratchetTree: async () => decode(RatchetTree, encode(RatchetTree, group.ratchetTree)),
      })
      party.participants.push({ person: people[i] as Person, group: joined })
    }
    const accepted = await this.#follower.withCommit(
      publicMessageIn(pending.message),
      groupInfoIn(pending.groupInfo),
      pending.welcome === undefined ? undefined : welcomeIn(pending.welcome),
    )
    this.#follower = accepted.group
    const { tree } = group.public
    if (tree.leafCount < width) met.truncated++
    if (tree.leafCount > width) met.grown++
    if (tree.memberCount < Math.max(...tree.members().map((m) => m.leafIndex)) + 1) met.blanks++
    if (tree.parents().some(({ parentNode }) => parentNode?.unmergedLeaves.length)) met.unmerged++
    await this.#check()
  }

  /** All members agree on everything, a follower on all that is public, and the tree is valid. */
  async #check(): Promise<void> {
    const [first, ...others] = this.party.participants.map(({ group }) => viewOf(group))
    for (const view of others) expect(view).toEqual(first)
    const opened = await openedFrom(this.party)
    expect(publicViewOf(this.#follower)).toEqual(publicViewOf(opened))
    expect(first).toMatchObject({ epoch: opened.groupContext.epoch })
  }
}

/** The group as anybody opens it who has the last member's GroupInfo and tree. */
async function openedFrom(party: Party): Promise<PublicGroup> {
  const { group } = party.participants.at(-1) ?? {}
  if (group === undefined) throw new Error('the party is empty')
  const groupInfo = groupInfoIn(await group.groupInfo())
  return PublicGroup.open(party.environment, groupInfo, group.ratchetTree)
}

it('members, joiners and a follower agree through any history, and the tree stays valid', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 20 }), async (steps) => {
      const evolution = await Evolution.start()
      await evolution.take({ kind: 'add', by: 0, newcomers: 4 })
      for (const each of steps) await evolution.take(each)
    }),
    { numRuns: 8, seed: 9420, endOnFailure: true },
  )
  for (const [what, times] of Object.entries(met)) {
    expect(times, `histories with ${what}`).toBeGreaterThan(3)
  }
})
