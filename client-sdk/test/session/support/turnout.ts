import { type Bytes, decode } from '@conclave/core/codec'
import type { Signer } from '@conclave/core/crypto/secret'
import { foundingExtensions, memberOf } from '@conclave/core/meeting'
import { createKeyPackage, type OwnLeaf } from '@conclave/core/mls/bootstrap'
import { type CommitEffect, Group, type PendingCommit } from '@conclave/core/mls/group'
import {
  type LeafIndex,
  MlsMessage,
  ProposalType,
  type PublicMessage,
  WireFormat,
} from '@conclave/core/wire'
import { generateRemovalSigner, type RemovalSigner } from '@conclave/keyserver'
import { systemRandom } from '../../../src/index.ts'
import { Roster } from '../../../src/session/roster.ts'
import {
  encodedRemoval,
  envelope,
  environment,
  leafOf,
  lifetime,
  meetingId,
  suite,
} from './people.ts'

interface Attendee {
  readonly identity: string
  readonly device: Signer
  readonly own: OwnLeaf
  group: Group
  roster: Roster
}

/** What one commit does, by numbers that are taken to fit whoever is there. */
export interface Step {
  readonly kind: 'member' | 'newcomer' | 'resync'
  /** Who commits, or enters again. */
  readonly who: number
  /** Bits of those who say goodbye, and of those whom the keyserver wants to be removed. */
  readonly goodbyes: number
  readonly absent: number
  readonly adds: number
  /** Whether one of those who say goodbye is added by the same commit, with the same device. */
  readonly readded: boolean
}

/** What a commit did, as one attendee saw it. */
export interface Seen {
  readonly before: Roster
  readonly after: Roster
  readonly group: Group
  /** Undefined for whoever has entered anew. */
  readonly effect: CommitEffect | undefined
}

/** What a commit was made to do, by leaf. */
export interface Intended {
  readonly committer: number
  readonly left: readonly (readonly [leaf: number, reason: string, askedBy: number | 'keyserver'])[]
  readonly joined: readonly (readonly [identity: string, way: 'added' | 'external'])[]
}

const nobodyKnown = () => ({ verified: false, deviceChanged: false })

/** People who come and go by real commits, while each keeps a roster. The first one stays. */
export class Turnout {
  readonly #keyserver: RemovalSigner
  #people: Attendee[] = []
  #named = 0

  private constructor(keyserver: RemovalSigner) {
    this.#keyserver = keyserver
  }

  static async open(): Promise<Turnout> {
    const turnout = new Turnout(await generateRemovalSigner(globalThis.crypto.subtle))
    const person = await turnout.#somebody()
    const group = await Group.found(environment, {
      cipherSuite: 1,
      groupId: systemRandom(16),
      own: person.own,
      lifetime: lifetime(),
      extensions: foundingExtensions(
        meetingId,
        { policy: 'open' },
        turnout.#keyserver.externalSender,
      ),
    })
    turnout.#people = [entered(person, group)]
    return turnout
  }

  async take(step: Step): Promise<{ readonly seen: readonly Seen[]; readonly intended: Intended }> {
    const [first, ...others] = this.#people as [Attendee, ...Attendee[]]
    const leaving = others.filter((_, i) => (step.goodbyes >> i) & 1)
    const staying = others.filter((each) => !leaving.includes(each))
    const back = step.kind === 'resync' ? staying[step.who % staying.length] : undefined
    const byMember = step.kind === 'member'
    const absent = byMember ? staying.filter((_, i) => (step.absent >> i) & 1) : []
    const goodbyes: PublicMessage[] = []
    for (const each of leaving) {
      const message = await each.group.proposeSelfRemove()
      goodbyes.push(publicMessage(message))
      await this.#receive(message, each)
    }
    for (const { group } of absent) {
      const leaf = group.leafIndex as LeafIndex
      const signed = await this.#keyserver.signRemoval(first.group.groupContext, leaf)
      await this.#receive(encodedRemoval(signed))
    }
    const left: Intended['left'] = [
      ...leaving.map(({ group: { leafIndex } }) => [leafIndex, 'left', leafIndex] as const),
      ...absent.map(({ group: { leafIndex } }) => [leafIndex, 'absent', 'keyserver'] as const),
    ]
    const gone = [...leaving, ...absent]
    const remaining = this.#people.filter((each) => !gone.includes(each))
    if (byMember) {
      const committer = remaining[step.who % remaining.length] as Attendee
      const added = await Promise.all(Array.from({ length: step.adds }, () => this.#somebody()))
      const returning = step.readded ? leaving[0] : undefined
      if (returning) added.push(await this.#somebody(returning))
      return this.#commit(committer, added, gone, left)
    }
    const person = back ?? (await this.#somebody())
    return this.#enter(person, goodbyes, gone, left, back)
  }

  async #commit(
    committer: Attendee,
    added: readonly Pick<Attendee, 'identity' | 'device' | 'own'>[],
    gone: readonly Attendee[],
    left: Intended['left'],
  ) {
    const bundles = await Promise.all(
      added.map(({ own }) => createKeyPackage(suite, own, lifetime())),
    )
    const pending = await committer.group.commit({
      proposals: bundles.map(({ keyPackage }) => ({ proposalType: ProposalType.add, keyPackage })),
      authenticatedData: envelope(0),
    })
    const { effect } = pending
    const seen = await this.#advance(pending, gone, committer)
    seen.push(saw(committer, committer.group.confirm(pending), effect))
    const ratchetTree = effect.tree.toRatchetTree()
    const newcomers = await Promise.all(
      bundles.map(async (bundle, i) => {
        const welcome = decode(MlsMessage, pending.welcome as Bytes)
        if (welcome.wireFormat !== WireFormat.welcome) throw new Error('no Welcome')
        const tree = () => Promise.resolve(ratchetTree)
        const group = await Group.join(environment, { ...welcome, bundle, ratchetTree: tree })
        return entered(added[i] as Attendee, group)
      }),
    )
    this.#people.push(...newcomers)
    const joined = added.map(({ identity }) => [identity, 'added'] as const)
    return { seen, intended: { committer: committer.group.leafIndex, left, joined } }
  }

  async #enter(
    person: Pick<Attendee, 'identity' | 'device' | 'own'>,
    selfRemoves: readonly PublicMessage[],
    gone: readonly Attendee[],
    left: Intended['left'],
    back: Attendee | undefined,
  ) {
    const { group } = this.#people[0] as Attendee
    const message = decode(MlsMessage, await group.groupInfo({ externalPub: true }))
    if (message.wireFormat !== WireFormat.groupInfo) throw new Error('no GroupInfo')
    const replaces = back?.group.leafIndex as LeafIndex | undefined
    const pending = await Group.joinExternally(environment, {
      groupInfo: message.groupInfo,
      ratchetTree: group.ratchetTree,
      own: person.own,
      ...(replaces === undefined ? {} : { replaces }),
      selfRemoves,
      authenticatedData: envelope(0),
    })
    const seen = await this.#advance(pending, gone, back)
    const own = Group.enter(pending)
    const { leafIndex: committer } = own
    if (back === undefined) this.#people.push(entered(person, own))
    else seen.push(saw(back, own, undefined))
    const moved = replaces !== undefined && replaces !== committer
    const joined: Intended['joined'] =
      replaces === undefined || moved ? [[person.identity, 'external']] : []
    const all: Intended['left'] = moved ? [...left, [replaces, 'replaced', committer]] : left
    return { seen, intended: { committer, left: all, joined } }
  }

  /** Everybody but its maker takes a commit in. */
  async #advance(
    { message }: PendingCommit,
    gone: readonly Attendee[],
    maker: Attendee | undefined,
  ): Promise<Seen[]> {
    const seen: Seen[] = []
    this.#people = this.#people.filter((each) => !gone.includes(each))
    for (const each of this.#people) {
      if (each === maker) continue
      const received = await each.group.receive(message)
      if (received.kind !== 'commit') throw new Error(`a commit was ${received.kind}`)
      seen.push(saw(each, received.group, received.effect))
    }
    for (const { group } of gone) group.close()
    return seen
  }

  async #receive(proposal: Bytes, maker?: Attendee): Promise<void> {
    for (const each of this.#people) {
      if (each === maker) continue
      const { kind } = await each.group.receive(proposal)
      if (kind !== 'proposal') throw new Error(`a proposal was ${kind}`)
    }
  }

  async #somebody(as?: Attendee): Promise<Pick<Attendee, 'identity' | 'device' | 'own'>> {
    const identity = as?.identity ?? `person ${this.#named++}`
    const device = as?.device ?? (await suite.generateSigner())
    return { identity, device, own: await leafOf(identity, meetingId, undefined, device) }
  }
}

function entered(person: Pick<Attendee, 'identity' | 'device' | 'own'>, group: Group): Attendee {
  const roster = Roster.of(group.members, group.leafIndex, nobodyKnown)
  return { ...person, group, roster }
}

function saw(attendee: Attendee, group: Group, effect: CommitEffect | undefined): Seen {
  const before = attendee.roster
  const after =
    effect === undefined
      ? Roster.of(group.members, group.leafIndex, nobodyKnown)
      : before.after(effect, nobodyKnown)
  if (effect === undefined) attendee.group.close()
  attendee.group = group
  attendee.roster = after
  return { before, after, group, effect }
}

function publicMessage(message: Bytes): PublicMessage {
  const decoded = decode(MlsMessage, message)
  if (decoded.wireFormat !== WireFormat.publicMessage) throw new Error('no PublicMessage')
  return decoded.publicMessage
}

/** The roster as the tree says, read anew. */
export function asInTree({ members, leafIndex }: Group) {
  return members.map(({ leafIndex: leaf, leafNode }) => {
    const { credential } = leafNode
    if (!('identity' in credential)) throw new Error('no basic credential')
    const identity = new TextDecoder().decode(credential.identity)
    return { leaf, identity, deviceKey: memberOf(leafNode).deviceKey, self: leaf === leafIndex }
  })
}
