import { Lane } from '@conclave/core'
import { type Bytes, encode, equalBytes, fromHex, toHex } from '@conclave/core/codec'
import {
  maxEntriesPerPage,
  type PackedReplyTo,
  packEntries,
  type RequestName,
  type RequestOf,
  type ServerNotices,
} from '@conclave/core/delivery'
import { meetingPolicy } from '@conclave/core/meeting'
import { ExternalSender, type LeafIndex } from '@conclave/core/wire'
import { StoreError } from '../store/storeError.ts'
import { checkFromAfar } from './attendance.ts'
import type { Participant } from './audience.ts'
import { GroupLog } from './groupLog.ts'
import type { GroupLogOptions } from './groupLogOptions.ts'
import type { MeetingEnvironment } from './meetingEnvironment.ts'
import { describeMembers } from './members.ts'
import { epochOfExternalCommit } from './messages.ts'
import { OpenGroup, type RemovalsChance } from './openGroup.ts'
import { ended, type PackedRefusal, refuse } from './orderingError.ts'

export interface MeetingHost {
  /** Whether one more group may be open. */
  hasRoom(): boolean
  /** The meeting's group has ended. */
  ended(): void
}

type EndReason = ServerNotices['closed']['reason']

/** Requests that are a meeting's to answer. */
export type MeetingRequestName = Exclude<
  RequestName,
  'enter' | 'publish' | 'stock' | 'claim' | 'mailbox' | 'collect'
>

/** What a meeting does for the connections that have entered it. */
export type MeetingHandlers = {
  [N in MeetingRequestName]: (
    participant: Participant,
    request: RequestOf<N>,
  ) => Promise<PackedReplyTo<N>>
}

/**
 * One meeting, through all incarnations of its group. Whoever calls a method does so in the
 * meeting's `lane`, so that what is acknowledged and what is sent have one order.
 */
export class Meeting implements MeetingHandlers {
  readonly lane = new Lane()
  readonly #meetingId: string
  readonly #environment: MeetingEnvironment
  readonly #host: MeetingHost
  readonly #groupLogOptions: GroupLogOptions
  #group: OpenGroup | undefined

  constructor(meetingId: string, environment: MeetingEnvironment, host: MeetingHost) {
    this.#meetingId = meetingId
    this.#environment = environment
    this.#host = host
    const { store, crypto, removalSigner, clock, graceMs, meetingMs } = environment
    const policy = meetingPolicy({ meetingId, externalSender: removalSigner.externalSender })
    this.#groupLogOptions = {
      store,
      crypto,
      policy,
      now: () => clock.now(),
      graceMs,
      meetingMs,
      commitsPerLeaf: environment.limits.commitsPerLeaf,
    }
  }

  get hasGroup(): boolean {
    return this.#group !== undefined
  }

  /** Of the group that is followed here. */
  get groupId(): Bytes | undefined {
    return this.#group?.groupId
  }

  /**
   * What a request has to wait for outside the lane, where it holds nobody up. A newcomer's commit
   * for an epoch that has not begun is refused: in line behind others it would leave members no time
   * to commit removals.
   */
  async turnOf(name: MeetingRequestName, request: unknown): Promise<PackedRefusal | undefined> {
    if (name !== 'commit') return undefined
    if (!this.#environment.store.shared && !this.#group?.mustRemove) return undefined
    const { message } = request as RequestOf<'commit'>
    const epoch = epochOfExternalCommit(message)
    if (epoch === undefined) return undefined
    for (;;) {
      const turn = await this.lane.run(() => this.#turnOf(epoch))
      if (turn === undefined || 'ok' in turn) return turn
      await turn.over
    }
  }

  async #turnOf(epoch: bigint): Promise<RemovalsChance | PackedRefusal | undefined> {
    const group = this.#group
    if (group === undefined) return undefined
    try {
      if (this.#environment.store.shared) await group.log.catchUp()
    } catch {
      // By whatever failed, the commit itself fails next, and is answered.
      return undefined
    }
    const { epoch: current } = group.log.followed
    if (epoch > current) return refuse('epoch-mismatch', `the group is in epoch ${current}`)
    return epoch < current ? undefined : group.chanceOfRemovals()
  }

  async enter({
    nonce,
  }: Participant): Promise<Omit<PackedReplyTo<'enter'> & { ok: true }, 'minor'>> {
    const group = await this.newest()
    const { externalSender } = this.#environment.removalSigner
    return {
      ok: true,
      group:
        group === undefined
          ? null
          : {
              groupId: group.groupId,
              epoch: group.log.followed.epoch,
              head: group.log.followed.head,
            },
      externalSender: encode(ExternalSender, externalSender),
      nonce,
    }
  }

  async leave(participant: Participant): Promise<void> {
    await this.#group?.leave(participant)
  }

  async create(_: Participant, founding: RequestOf<'create'>): Promise<PackedReplyTo<'create'>> {
    const { store, observer } = this.#environment
    if (!this.hasGroup && !this.#host.hasRoom()) {
      return refuse('rate-limited', 'the keyserver has no room for another meeting')
    }
    const founded = await GroupLog.found(this.#meetingId, founding, this.#groupLogOptions)
    if (!founded.ok) return founded
    const { log, fresh } = founded
    if (fresh) {
      this.#open(log)
      const [founder] = describeMembers(log.followed.publicGroup, [0 as LeafIndex])
      const { groupId } = log.key
      const started = { meetingId: this.#meetingId, groupId, epoch: log.followed.epoch }
      if (founder !== undefined) observer.meetingStarted(started, founder)
    }
    return { ok: true, seq: 0, durable: store.durable }
  }

  wait(participant: Participant, request: RequestOf<'wait'>): Promise<PackedReplyTo<'wait'>> {
    return this.#inGroup(request.groupId, ({ waitingRoom }) =>
      waitingRoom.wait(participant, request),
    )
  }

  async resume(
    participant: Participant,
    request: RequestOf<'resume'>,
  ): Promise<PackedReplyTo<'resume'>> {
    const { groupId, after } = request
    const reply = await this.#inGroup(groupId, (group) => group.resume(participant, request))
    if (reply.ok || reply.code !== 'group-continued') return reply
    // Who has missed the end of a group needs it to enter the next by its Welcome.
    const { store, clock } = this.#environment
    const key = { meetingId: this.#meetingId, groupId }
    const page = await store.readPastEntries(key, after, maxEntriesPerPage, clock.now())
    const isWhole =
      page !== undefined && after >= page.trimmed && after + page.entries.length === page.head
    return isWhole ? { ...reply, missed: packEntries(page.entries) } : reply
  }

  attach(participant: Participant, request: RequestOf<'attach'>): Promise<PackedReplyTo<'attach'>> {
    return this.#inGroup(request.groupId, (group) => group.attach(participant, request))
  }

  propose(
    participant: Participant,
    request: RequestOf<'propose'>,
  ): Promise<PackedReplyTo<'propose'>> {
    return this.#inGroup(request.groupId, (group) => group.propose(participant, request))
  }

  commit(_: Participant, request: RequestOf<'commit'>): Promise<PackedReplyTo<'commit'>> {
    return this.#inGroup(request.groupId, (group) => group.commit(request))
  }

  tree(_: Participant, request: RequestOf<'tree'>): Promise<PackedReplyTo<'tree'>> {
    return this.#inGroup(request.groupId, (group) => group.tree(request))
  }

  groupInfo(_: Participant, request: RequestOf<'groupInfo'>): Promise<PackedReplyTo<'groupInfo'>> {
    return this.#inGroup(request.groupId, (group) => group.groupInfo())
  }

  report(_: Participant, request: RequestOf<'report'>): Promise<PackedReplyTo<'report'>> {
    return this.#inGroup(request.groupId, (group) => group.report(request))
  }

  send(participant: Participant, request: RequestOf<'send'>): Promise<PackedReplyTo<'send'>> {
    return this.#inGroup(request.groupId, (group) => group.send(participant, request))
  }

  remove(participant: Participant, request: RequestOf<'remove'>): Promise<PackedReplyTo<'remove'>> {
    return this.#inGroup(request.groupId, (group) => group.remove(participant, request))
  }

  offer(participant: Participant, request: RequestOf<'offer'>): Promise<PackedReplyTo<'offer'>> {
    return this.#inGroup(request.groupId, (group) => group.offer(participant, request))
  }

  offers(participant: Participant, request: RequestOf<'offers'>): Promise<PackedReplyTo<'offers'>> {
    return this.#inGroup(request.groupId, (group) => group.offers(participant))
  }

  async continue(
    participant: Participant,
    request: RequestOf<'continue'>,
  ): Promise<PackedReplyTo<'continue'>> {
    const { store } = this.#environment
    const reply = await this.#inGroup(request.groupId, (group) =>
      this.#continue(group, participant, request),
    )
    if (reply.ok || reply.group === undefined) return reply
    const { groupId } = reply.group
    const won = await store.isFoundedBy({ meetingId: this.#meetingId, groupId }, request.groupInfo)
    return won ? { ok: true, durable: store.durable } : reply
  }

  giveBack(_: Participant, request: RequestOf<'giveBack'>): Promise<PackedReplyTo<'giveBack'>> {
    return this.#inGroup(request.groupId, (group) => group.giveBack(request))
  }

  /** Does what is due in a group, if it is still the meeting's. */
  async check(groupId: string): Promise<void> {
    const key = { meetingId: this.#meetingId, groupId: fromHex(groupId) }
    if (!this.hasGroup && (await checkFromAfar(key, this.#environment))) return
    const group = await this.current()
    if (group === undefined || toHex(group.groupId) !== groupId) return
    if (this.#environment.store.shared) await group.log.catchUp()
    await group.attendance.check()
  }

  /** Ends the meeting's group, whose data is deleted. Whoever comes next founds another. */
  async end(reason: EndReason): Promise<void> {
    const group = this.#group
    if (group === undefined) return
    this.#drop(group)
    const { store, audience, logger, observer } = this.#environment
    const closed = await store.closeGroup(group.log.key)
    const { groupId } = group
    const { epoch } = group.log.followed
    audience.closed(this.#meetingId, { groupId, reason })
    if (!closed) return
    logger.info({ meeting: this.#meetingId, epoch, reason }, 'closed')
    observer.meetingEnded({ meetingId: this.#meetingId, groupId, epoch }, reason)
  }

  /** A member founds the group that continues this one. */
  async #continue(
    group: OpenGroup,
    participant: Participant,
    request: RequestOf<'continue'>,
  ): Promise<PackedReplyTo<'continue'>> {
    const { store, audience, logger, observer } = this.#environment
    const verified = await group.continuation(participant, request, this.#groupLogOptions)
    if (!verified.ok) return verified
    const { step, followed } = verified
    const outcome = await store.continueGroup(group.log.key, step)
    switch (outcome.outcome) {
      case 'epoch-mismatch':
        await group.log.catchUp()
        return refuse('epoch-mismatch', `the group is in epoch ${group.log.followed.epoch}`)
      case 'group-unknown':
        return ended()
      case 'continued': {
        const meetingId = this.#meetingId
        const { groupId: next } = step
        const log = GroupLog.following(
          { meetingId, groupId: next },
          this.#groupLogOptions,
          followed,
        )
        const { waitingRoom } = this.#open(log)
        const { groupId } = group
        const { epoch } = followed
        audience.continued(meetingId, { groupId, next })
        waitingRoom.welcomeAll(outcome.attached, step)
        logger.info({ meeting: meetingId, epoch, members: step.leaves.length }, 'continued')
        observer.meetingContinued({ meetingId, groupId: next, epoch }, groupId)
        return { ok: true, durable: store.durable }
      }
    }
  }

  /** Follows the group that goes on where another instance has taken in that it does. */
  async #goOn(group: OpenGroup, next: Bytes): Promise<void> {
    const meetingId = this.#meetingId
    const log = await GroupLog.load({ meetingId, groupId: next }, this.#groupLogOptions)
    if (log === undefined) return this.#gone(group)
    this.#open(log)
    const notice = { groupId: group.groupId, next }
    this.#environment.audience.continued(meetingId, notice, { here: true })
  }

  /** Another instance has ended the group: the connections here have to enter again. */
  #gone(group: OpenGroup): void {
    this.#drop(group)
    const notice = { groupId: group.groupId, reason: 'ended' } as const
    this.#environment.audience.closed(this.#meetingId, notice, { here: true })
  }

  /** Follows the group no longer, without ending it. */
  stop(): void {
    if (this.#group !== undefined) this.#drop(this.#group)
  }

  /** The meeting's group; one that this instance does not follow yet is taken up from the store. */
  async current(): Promise<OpenGroup | undefined> {
    if (this.#group !== undefined) return this.#group
    const { store } = this.#environment
    const current = await store.currentGroup(this.#meetingId)
    if (current === null) return undefined
    const key = { meetingId: this.#meetingId, groupId: current.groupId }
    const log = await GroupLog.load(key, this.#groupLogOptions)
    return log === undefined ? undefined : this.#open(log)
  }

  /** The meeting's group as the store has it. */
  async newest(): Promise<OpenGroup | undefined> {
    const group = await this.current()
    const { store } = this.#environment
    if (group === undefined || !store.shared) return group
    const next = await store.continuationOf(group.log.key)
    if (next !== undefined) {
      await this.#goOn(group, next.groupId)
      return await this.current()
    }
    await group.log.catchUp()
    return group
  }

  #open(log: GroupLog): OpenGroup {
    this.#group?.stop()
    const group: OpenGroup = new OpenGroup(log, this.#environment, {
      later: (task) => this.#later(() => group, task),
      end: (reason) => this.end(reason),
      gone: async () => {
        await this.#leaveIfOver(group)
      },
    })
    this.#group = group
    const { epoch } = log.followed
    this.#environment.logger.info({ meeting: this.#meetingId, epoch }, 'group open')
    return group
  }

  #drop(group: OpenGroup): void {
    if (this.#group !== group) return
    this.#group = undefined
    group.stop()
    this.#host.ended()
  }

  #later(group: () => OpenGroup, task: () => Promise<void>): void {
    const { logger } = this.#environment
    this.lane
      .run(async () => {
        if (this.#group === group()) await task()
      })
      .catch((error: unknown) => {
        const meeting = this.#meetingId
        if (error instanceof StoreError) logger.warn({ meeting, code: error.code }, 'a task waits')
        else logger.error({ meeting, err: error }, 'a task of a meeting failed')
      })
  }

  async #inGroup<T extends { readonly ok: true }>(
    groupId: Bytes,
    handle: (group: OpenGroup) => Promise<T | PackedRefusal>,
  ): Promise<T | PackedRefusal> {
    const group = await this.current()
    if (group === undefined) return refuse('group-unknown', 'the meeting has no group')
    if (equalBytes(group.groupId, groupId)) {
      const reply = await handle(group)
      // What a client sent may also name another group itself, which ends nothing.
      const unknown = !reply.ok && reply.code === 'group-unknown'
      if (!unknown || !(await this.#leaveIfOver(group))) return reply
      return (await this.#continued(groupId)) ?? reply
    }
    // Another instance may have ended this group, and another one may have begun.
    if (this.#environment.store.shared && (await this.#leaveIfOver(group))) {
      return this.#inGroup(groupId, handle)
    }
    const unknown = refuse('group-unknown', 'this is not the group of the meeting')
    return (await this.#continued(groupId)) ?? unknown
  }

  /** What is to be said of a group that the meeting's continues. */
  async #continued(groupId: Bytes): Promise<PackedRefusal | undefined> {
    const { store } = this.#environment
    const group = await store.continuationOf({ meetingId: this.#meetingId, groupId })
    return group && refuse('group-continued', 'the meeting goes on in another group', { group })
  }

  /** Whether the meeting has another group than this one, or none, by another instance's doing. */
  async #leaveIfOver(group: OpenGroup): Promise<boolean> {
    const { store } = this.#environment
    const current = await store.currentGroup(this.#meetingId)
    if (current !== null && equalBytes(current.groupId, group.groupId)) return false
    const next = current && (await store.continuationOf(group.log.key))
    if (next) await this.#goOn(group, next.groupId)
    else this.#gone(group)
    return true
  }
}
