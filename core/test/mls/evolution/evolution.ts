import { type Bytes, toHex, utf8 } from '../../../src/codec/bytes.ts'
import { ConclaveError } from '../../../src/error.ts'
import { createKeyPackage, type KeyPackageBundle } from '../../../src/mls/bootstrap/index.ts'
import { Group, type OwnProposal, type PendingCommit } from '../../../src/mls/group/index.ts'
import type { KeyPackage, LeafIndex, Proposal, Sender } from '../../../src/wire/index.ts'
import {
  ProposalType,
  PskType,
  ResumptionPskUsage,
  SenderType,
} from '../../../src/wire/registry.ts'
import { viewOf, welcomeIn } from '../party.ts'
import { type Member, type Met, meet, Surprise } from './inbox.ts'
import { customType, type Fault, groupExtensions, proposeFromOutside } from './people.ts'
import { type InlineKind, maxMembers, type Plan, type ProposalStep, type Round } from './steps.ts'
import { keyOf, plain, World, withEverything } from './world.ts'

/** Before which round whose state is copied. */
export interface Theft {
  readonly round: number
  readonly victim: number
}

/** Lives through a plan, and throws at whatever does not go as the RFC says. */
export async function evolve(
  { seed, size, rounds, ending }: Plan,
  met: Met = new Map(),
  { theft, ...fault }: Fault & { readonly theft?: Theft } = {},
): Promise<World> {
  const world = await World.found(String(seed), size, met, fault)
  for (const [i, round] of rounds.entries()) {
    if (i === theft?.round) await world.ledger.steal(world.pick(theft.victim))
    await new Turn(world, round).pass()
  }
  await catchUp(world, new Set())
  await heal(world)
  if (ending === 'reinit') await reInit(world)
  if (ending === 'branch') await branch(world)
  return world
}

/** Who has been robbed commits, and the others go on as if nothing had been. */
async function heal(world: World): Promise<void> {
  for (const leaf of world.ledger.victims) {
    await world.commit(world.members.find(({ group }) => group.leafIndex === leaf) as Member, {})
    await world.say(world.head)
    await world.commit(world.head, {})
    await world.say(world.head)
    await world.check()
  }
}

/** Who heard nothing hears it now, but for `lagging`; who has lost its way comes back by itself. */
async function catchUp(world: World, lagging: ReadonlySet<Member>): Promise<void> {
  world.lagging = lagging
  await world.read()
  const newest = world.newestEpoch
  const behind = world.active.filter(({ group }) => group.epoch < newest)
  world.lagging = new Set([...lagging, ...behind])
  for (const member of behind) {
    if (!member.missed) throw new Surprise(`${member.name} is behind and has missed nothing`)
    const roster = world.head.group.members.map(({ leafNode }) => toHex(leafNode.signatureKey))
    if (roster.includes(keyOf(member.person))) {
      await world.enterExternally(member.person, member)
    } else {
      meet(world.met, 'removed without hearing of it')
      world.members = world.members.filter((other) => other !== member)
    }
  }
  world.lagging = lagging
  for (const member of world.active) member.missed = false
}

/** One round of a plan. */
class Turn {
  readonly #world: World
  readonly #round: Round
  /** A newcomer lacks what the members of an earlier epoch share. */
  readonly #mayAdd: boolean

  constructor(world: World, round: Round) {
    this.#world = world
    this.#round = round
    this.#mayAdd = round.proposals.every(({ kind }) => kind !== 'resumption-psk')
  }

  async pass(): Promise<void> {
    const world = this.#world
    const { restored, chatter, proposals, pause } = this.#round
    await catchUp(world, this.#lagging())
    await world.deliverHeld()
    for (const who of restored) world.pick(who).restore()
    for (const who of chatter) await world.say(world.pick(who))
    const said = world.transcript.at(-1)
    await world.read()
    if (said !== undefined) await world.disturb(world.head, said)
    for (const step of proposals) await this.#propose(step)
    await world.read()
    world.clock.advance(pause)
    await this.#commit()
    this.#lose()
  }

  /** Not whoever is to go on with the group. */
  #lagging(): ReadonlySet<Member> {
    const world = this.#world
    const { head } = world
    const named = this.#round.lagging.map((who) => world.members[who % world.members.length])
    return new Set(named.filter((member) => member !== undefined && member !== head)) as Set<Member>
  }

  async #propose(step: ProposalStep): Promise<void> {
    const world = this.#world
    const by = world.pick(step.by)
    // An encrypted proposal that nobody may make does not even leave its maker.
    const encrypted = step.encrypted && step.kind !== 'invalid'
    const own = (proposal: OwnProposal) => by.group.propose(proposal, { encrypted })
    const fromKeyserver = (proposal: Proposal) => {
      const sender: Sender = { senderType: SenderType.external, senderIndex: 0 }
      return proposeFromOutside(world.keyserver, sender, proposal, by.group.groupContext)
    }
    const post = (message: Bytes) => world.post('proposal', by.name, message)
    switch (step.kind) {
      case 'add':
        if (!this.#hasRoom()) return
        return post(await own((await world.newcomerAdd()) as OwnProposal))
      case 'update':
        return post(await by.group.proposeUpdate({ encrypted }))
      case 'self-remove':
        return post(await by.group.proposeSelfRemove())
      case 'added-by-keyserver':
        if (!this.#hasRoom()) return
        return post(await fromKeyserver(await world.newcomerAdd()))
      case 'removed-by-keyserver':
        return post(await fromKeyserver(this.#remove(step.target)))
      case 'newcomer': {
        if (!this.#hasRoom()) return
        const { keyPackage, signer } = await world.newcomer()
        const sender: Sender = { senderType: SenderType.newMemberProposal }
        const proposal: Proposal = { proposalType: ProposalType.add, keyPackage }
        const { groupContext } = by.group
        return post(await proposeFromOutside(signer, sender, proposal, groupContext))
      }
      default:
        return post(await own(this.#proposal(step.kind, step.target)))
    }
  }

  #proposal(kind: Exclude<ProposalStep['kind'] | InlineKind, 'add'>, target: number): OwnProposal {
    const world = this.#world
    const pskNonce = world.people.suite.random(32)
    switch (kind) {
      case 'external-psk': {
        const pskId = utf8(`psk ${target % 3}`)
        return {
          proposalType: ProposalType.psk,
          psk: { pskType: PskType.external, pskId, pskNonce },
        }
      }
      case 'resumption-psk': {
        const psk = {
          pskType: PskType.resumption,
          usage: ResumptionPskUsage.application,
          pskGroupId: world.head.group.groupId,
          pskEpoch: this.#sharedEpoch(target),
          pskNonce,
        }
        return { proposalType: ProposalType.psk, psk }
      }
      case 'extensions': {
        const extensions = groupExtensions(world.keyserver, target)
        return { proposalType: ProposalType.groupContextExtensions, extensions }
      }
      case 'custom':
        return { proposalType: ProposalType.custom, customType, proposalData: utf8('custom') }
      case 'invalid':
        return { proposalType: ProposalType.remove, removed: 0xffff as LeafIndex }
      default:
        return this.#remove(target)
    }
  }

  #remove(target: number): Extract<OwnProposal, { proposalType: typeof ProposalType.remove }> {
    const { members } = this.#world.head.group
    const { leafIndex } = members[target % members.length] as (typeof members)[number]
    return { proposalType: ProposalType.remove, removed: leafIndex }
  }

  /** An epoch that everyone was in, and still has the key of. */
  #sharedEpoch(target: number): bigint {
    const world = this.#world
    const { epoch } = world
    const youngest = world.members.reduce((last, { since }) => (since > last ? since : last), 0n)
    const oldest = epoch - youngest > 3n ? epoch - 3n : youngest
    return oldest + (BigInt(target) % (epoch - oldest + 1n))
  }

  #hasRoom(): boolean {
    const { members, waiting } = this.#world
    return this.#mayAdd && members.length + waiting.size < maxMembers
  }

  async #commit(): Promise<void> {
    const world = this.#world
    const { way, by, rivals } = this.#round
    const committer = world.pick(by)
    if (way === 'external' && this.#hasRoom()) {
      return world.enterExternally(await world.people.newPerson())
    }
    if (way === 'resync' && world.active.length > 1) {
      return world.enterExternally(committer.person, committer)
    }
    const { pendingRemovals: removals } = committer.group.public
    const losing = world.active.filter((member) => member !== committer).slice(0, rivals)
    const pending = await this.#committed(committer, losing)
    const { removed, proposals } = pending.effect
    for (const leaf of removals) {
      if (leaf !== committer.group.leafIndex && !removed.includes(leaf)) {
        throw new Surprise(`the removal of leaf ${leaf} was not committed`)
      }
    }
    // Of the group as it came back, where the committer crashed.
    for (const sourced of pending.previous?.public.proposals.values() ?? []) {
      const isCustom = sourced.proposal.proposalType === ProposalType.custom
      if (isCustom && !proposals.all.includes(sourced)) {
        throw new Surprise('a proposal of a custom type was not committed')
      }
    }
    for (const { proposal } of proposals.all) {
      meet(world.met, `committed ${nameOf(proposal.proposalType)}`)
    }
  }

  async #committed(committer: Member, rivals: readonly Member[]): Promise<PendingCommit> {
    const world = this.#world
    const { path, encrypted, crashes } = this.#round
    const options = { path, encrypted: encrypted && world.active.length > 1 }
    const proposals = await this.#inline(committer)
    const made = await committer.group.commit({ ...options, proposals }).catch((error: unknown) => {
      if (!(error instanceof ConclaveError)) throw error
      meet(world.met, `commit refused: ${error.code}`)
      return undefined
    })
    made?.discard()
    const chosen = made === undefined ? options : { ...options, proposals }
    return world.commit(committer, chosen, { rivals, crashes })
  }

  async #inline(committer: Member): Promise<readonly Proposal[]> {
    const world = this.#world
    const proposals: Proposal[] = []
    for (const { kind, target } of this.#round.inline) {
      if (kind !== 'add') proposals.push(this.#proposal(kind, target))
      else if (this.#hasRoom()) proposals.push(await world.newcomerAdd())
    }
    const isOwn = (proposal: Proposal) =>
      proposal.proposalType === ProposalType.remove &&
      proposal.removed === committer.group.leafIndex
    return proposals.filter((proposal) => !isOwn(proposal))
  }

  #lose(): void {
    const world = this.#world
    const [member] = world.lagging
    if (!this.#round.loses || member === undefined) return
    const handshakes = member.inbox.filter(({ kind }) => kind !== 'application')
    const lost = handshakes[world.chance.below(Math.max(1, handshakes.length))]
    // Who cannot follow the commit that won must not get one that lost: it would follow that one.
    member.inbox = member.inbox.filter((letter) => letter.message !== lost?.message && !letter.lost)
    member.missed = true
    meet(world.met, 'lost a handshake')
  }
}

/** RFC 9420 §11.2: all agree to found the group anew, and do. */
async function reInit(world: World): Promise<void> {
  if (world.members.length < 2) return
  const { head } = world
  const extensions = groupExtensions(world.keyserver, 7)
  const next = { groupId: utf8('reinitialised'), version: 1, cipherSuite: 1, extensions }
  const proposal = { proposalType: ProposalType.reInit, ...next }
  const byReference = world.chance.once(2)
  if (byReference) {
    await world.post('proposal', head.name, await head.group.propose(proposal))
    await world.read()
  }
  await world.commit(head, { path: 'if-required', proposals: byReference ? [] : [proposal] })
  const refused = await head.group.commit().catch((error: unknown) => error)
  if (!(refused instanceof ConclaveError) || refused.code !== 'group-reinitialised') {
    throw new Surprise('a group went on that was to be founded anew')
  }
  const others = world.members.filter((member) => member !== head)
  await goOn(world, others, (keyPackages) =>
    head.group.reInit(head.person.environment, {
      own: head.person.own,
      lifetime: world.lifetime(),
      keyPackages,
      commit: { groupInfo: withEverything },
    }),
  )
  meet(world.met, 'reinitialised')
}

/** RFC 9420 §11.3: some of the members go on apart from the others. */
async function branch(world: World): Promise<void> {
  const { head } = world
  const others = world.members.filter((member) => member !== head).slice(0, 3)
  if (others.length === 0) return
  await goOn(world, others, (keyPackages) =>
    head.group.branch(head.person.environment, {
      own: head.person.own,
      lifetime: world.lifetime(),
      keyPackages,
      groupId: utf8('branch'),
      extensions: [],
      commit: { groupInfo: withEverything },
    }),
  )
  meet(world.met, 'branched')
}

async function goOn(
  world: World,
  others: readonly Member[],
  found: (keyPackages: readonly KeyPackage[]) => Promise<PendingCommit>,
): Promise<void> {
  const bundles: KeyPackageBundle[] = []
  for (const { person } of others) {
    bundles.push(await createKeyPackage(world.people.suite, person.own, world.lifetime()))
  }
  const pending = await found(bundles.map(({ keyPackage }) => keyPackage))
  const view = JSON.stringify(viewOf(Group.enter(pending)), plain)
  for (const [i, { person, group }] of others.entries()) {
    const bundle = bundles[i] as KeyPackageBundle
    const welcome = welcomeIn(pending.welcome)
    const joined = await Group.join(person.environment, { welcome, bundle }, group)
    if (JSON.stringify(viewOf(joined), plain) !== view) {
      throw new Surprise(`${person.name} disagrees on the group that goes on`)
    }
  }
}

function nameOf(proposalType: number): string {
  const found = Object.entries(ProposalType).find(([, type]) => type === proposalType)
  return found?.[0] ?? String(proposalType)
}
