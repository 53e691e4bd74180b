import { type Clock, ConclaveError } from '@conclave/core'
import { type Bytes, encode, equalBytes } from '@conclave/core/codec'
import { CommitEnvelope, type LogEntry, type ReplyTo } from '@conclave/core/delivery'
import { Group, type GroupEnvironment } from '@conclave/core/mls/group'
import { readKeyPackage } from '@conclave/core/mls/public'
import { RatchetTree } from '@conclave/core/wire'
import { foundersInOrder, foundingTurn } from './commitTurn.ts'
import type { DeliveryLink } from './deliveryLink.ts'
import { uploadedGroupInfo } from './enterMeeting.ts'
import type { HeldNext } from './heldNext.ts'
import { lifetimeFrom } from './identity.ts'
import { type FoundedNext, type NextPlace, wipeOffer } from './nextPlace.ts'
import { isTransient, refusal } from './sessionError.ts'
import { StepTimer } from './stepTimer.ts'

/** The pause after something that the keyserver has refused, in milliseconds. */
const againMs = 2_000

export interface NextFoundingOptions {
  readonly groups: GroupEnvironment
  readonly link: Pick<DeliveryLink, 'request'>
  readonly clock: Clock
}

export interface NextFoundingHost {
  /** Our place in the group that is to be continued; undefined while we have none. */
  place(): { readonly group: Group; readonly present: ReadonlySet<number> } | undefined
  /** Whether somebody has founded the next group. */
  isFounded(): boolean
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
  problem(error: ConclaveError): void
  /** The keyserver has taken the group that we have founded. */
  entered(group: Group, next: NextPlace): Promise<void>
  /** Ours was refused, although somebody is said to have founded the next group. */
  doubted(): void
  /** Somebody else was first; `missed` is what the log of our group still had. */
  preceded(groupId: Bytes, missed: readonly LogEntry[]): Promise<void>
}

/** Founds the group that continues a frozen one: any member may, the keyserver takes the first. */
export class NextFounding {
  readonly #options: NextFoundingOptions
  readonly #held: HeldNext
  readonly #host: NextFoundingHost
  readonly #turn: StepTimer
  #sent: FoundedNext | undefined
  /** The request for all offers whose answer is out. */
  #asked: object | undefined

  constructor(options: NextFoundingOptions, held: HeldNext, host: NextFoundingHost) {
    this.#options = options
    this.#held = held
    this.#host = host
    this.#turn = new StepTimer(options.clock, (step) => host.run(step))
  }

  /**
   * Whoever comes first in the ring founds at once, the others where those before them do not.
   * @param committer of the commit that has frozen the group
   */
  awaitTurn(committer: number): void {
    const place = this.#host.place()
    if (place === undefined || this.#turn.isSet) return
    const { group, present } = place
    const order = foundersInOrder(group.public, committer, new Set([...present, group.leafIndex]))
    const rank = order.indexOf(group.leafIndex)
    if (rank < 0) return
    this.#turn.set(foundingTurn(rank, group.public), () => this.#found())
  }

  /** The next group is there, whoever has founded it. */
  stop(): void {
    this.#turn.cancel()
  }

  /** Beside the lane: meanwhile somebody else's Welcome may come. Sent again it is answered the same. */
  send(next: NextPlace, founded: FoundedNext): void {
    if (this.#sent === founded) return
    this.#sent = founded
    const { groupId } = next
    const answer = this.#options.link
      .request('continue', { groupId, ...founded.request })
      .finally(() => {
        if (this.#sent === founded) this.#sent = undefined
      })
    answer.then(
      (reply) => this.#host.run(() => this.#answered(next, founded, reply)),
      (error: unknown) => this.#host.run(() => Promise.reject(error)),
    )
  }

  /** What is under way concerns us no more. */
  settle(): void {
    this.#turn.cancel()
    this.#sent = undefined
    this.#asked = undefined
  }

  async #found(): Promise<void> {
    const old = this.#host.place()?.group
    const next = this.#held.current
    if (old?.public.reInit === undefined || next === undefined) return
    if (this.#sent !== undefined) return
    if (this.#host.isFounded()) return this.#host.doubted()
    if (next.founded !== undefined) return this.send(next, next.founded)
    // Beside the lane: meanwhile somebody else's Welcome may come.
    const { link } = this.#options
    const asked = { groupId: old.groupId }
    if (this.#asked !== undefined) return
    this.#asked = asked
    const answer = link.request('offers', asked).finally(() => {
      if (this.#asked === asked) this.#asked = undefined
    })
    answer.then(
      (reply) => this.#host.run(() => this.#foundWith(old, next, reply)),
      (error: unknown) => this.#host.run(() => Promise.reject(error)),
    )
  }

  async #foundWith(old: Group, next: NextPlace, reply: ReplyTo<'offers'>): Promise<void> {
    const { reInit } = old.public
    if (this.#held.current !== next || this.#host.isFounded()) return
    if (!reply.ok) return this.#refused(reply)
    if (reInit === undefined) return
    let founded: FoundedNext
    try {
      founded = await foundNext(this.#options.groups, old, next, reply.keyPackages)
    } catch (error) {
      if (this.#held.isClosed) return
      if (!(error instanceof ConclaveError)) throw error
      this.#host.problem(error)
      return this.#again()
    }
    if (this.#held.current !== next || this.#host.isFounded()) {
      founded.group.wipe()
      return
    }
    const founding = { ...next, nextId: reInit.groupId, founded }
    // If the keyserver has it and we crash, only what is kept of it lets us in.
    await this.#held.keep(founding)
    if (this.#held.current === founding) this.send(founding, founded)
  }

  async #answered(
    next: NextPlace,
    founded: FoundedNext,
    reply: ReplyTo<'continue'>,
  ): Promise<void> {
    if (this.#held.current !== next) return
    if (reply.ok) {
      const group = Group.restore(this.#options.groups, founded.group.expose(), next.own.signer)
      founded.group.wipe()
      wipeOffer(next)
      return this.#host.entered(group, next)
    }
    const error = refusal(reply)
    if (isTransient(error)) throw error
    founded.group.wipe()
    await this.#held.keep({ ...next, founded: undefined })
    await this.#refused(reply)
  }

  async #refused(reply: Extract<ReplyTo<'continue' | 'offers'>, { ok: false }>): Promise<void> {
    const error = refusal(reply)
    if (isTransient(error)) throw error
    if (reply.code === 'group-continued' && reply.group !== undefined) {
      // Its Welcome comes or waits for us.
      return this.#host.preceded(reply.group.groupId, reply.missed ?? [])
    }
    this.#host.problem(error)
    this.#again()
  }

  #again(): void {
    this.#turn.set(againMs, () => this.#found())
  }
}

/**
 * Founds the group that continues `old`, of everybody in it.
 * @param offers an MLSMessage with a KeyPackage of every member, ours too
 * @throws MlsError, MeetingError, SessionError where one of them is of no use
 */
async function foundNext(
  environment: GroupEnvironment,
  old: Group,
  { own }: Pick<NextPlace, 'own'>,
  offers: readonly Bytes[],
): Promise<FoundedNext> {
  const keyPackages = offers
    .map(readKeyPackage)
    .filter(({ leafNode }) => !equalBytes(leafNode.signatureKey, own.signer.publicKey))
  const pending = await old.reInit(foundingEnvironment(environment), {
    own,
    lifetime: lifetimeFrom(environment.clock),
    keyPackages,
    commit: {
      authenticatedData: encode(CommitEnvelope, { seenSeq: 0n }),
      groupInfo: uploadedGroupInfo,
    },
  })
  try {
    const ratchetTree = encode(RatchetTree, pending.effect.tree.toRatchetTree())
    const { groupInfo, welcome = null } = pending
    return { request: { groupInfo, ratchetTree, welcome }, group: pending.encodeEntered() }
  } finally {
    pending.discard()
  }
}

/** The commit that founds the next group is in no log, so that its size concerns nobody else. */
function foundingEnvironment(environment: GroupEnvironment): GroupEnvironment {
  const { addsByValue: _addsByValue, ...policy } = environment.policy
  return { ...environment, policy }
}
