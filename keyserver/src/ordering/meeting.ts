import { Lane } from '@conclave/core'
import { type Bytes, encode, equalBytes } from '@conclave/core/codec'
import type {
  GroupSummary,
  PackedReplyTo,
  RequestName,
  RequestOf,
  ServerNotices,
} from '@conclave/core/delivery'
import { meetingPolicy } from '@conclave/core/meeting'
import { ExternalSender } from '@conclave/core/wire'
import type { Participant } from './audience.ts'
import { GroupLog, type GroupLogOptions } from './groupLog.ts'
import type { MeetingEnvironment } from './meetingEnvironment.ts'
import { OpenGroup } from './openGroup.ts'
import { type PackedRefusal, refuse } from './orderingError.ts'

export interface MeetingHost {
  /** Whether one more group may be open. */
  hasRoom(): boolean
  /** The meeting's group has ended. */
  ended(): void
}

/** What a meeting does for the connections that have entered it. */
export type MeetingHandlers = {
  [N in Exclude<RequestName, 'enter'>]: (
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
    const { store, crypto, removalSigner, clock } = environment
    const policy = meetingPolicy({ meetingId, externalSender: removalSigner.externalSender })
    this.#groupLogOptions = { store, crypto, policy, now: () => clock.now() }
  }

  get hasGroup(): boolean {
    return this.#group !== undefined
  }

  async enter({ nonce }: Participant): Promise<PackedReplyTo<'enter'>> {
    const group = await this.#current()
    const { externalSender } = this.#environment.removalSigner
    return {
      ok: true,
      group: group === undefined ? null : summaryOf(group),
      externalSender: encode(ExternalSender, externalSender),
      nonce,
    }
  }

  async leave(participant: Participant): Promise<void> {
    await this.#group?.leave(participant)
  }

  async create(_: Participant, founding: RequestOf<'create'>): Promise<PackedReplyTo<'create'>> {
    if (!this.hasGroup && !this.#host.hasRoom()) {
      return refuse('rate-limited', 'the keyserver has no room for another meeting')
    }
    const founded = await GroupLog.found(this.#meetingId, founding, this.#groupLogOptions)
    if (!founded.ok) return founded
    if (founded.fresh) this.#open(founded.log)
    return { ok: true, seq: 0, durable: this.#environment.store.durable }
  }

  wait(participant: Participant, request: RequestOf<'wait'>): Promise<PackedReplyTo<'wait'>> {
    return this.#inGroup(request.groupId, (group) => group.wait(participant, request))
  }

  resume(participant: Participant, request: RequestOf<'resume'>): Promise<PackedReplyTo<'resume'>> {
    return this.#inGroup(request.groupId, (group) => group.resume(participant, request))
  }

  attach(participant: Participant, request: RequestOf<'attach'>): Promise<PackedReplyTo<'attach'>> {
    return this.#inGroup(request.groupId, (group) => group.attach(participant, request))
  }

  propose(_: Participant, request: RequestOf<'propose'>): Promise<PackedReplyTo<'propose'>> {
    return this.#inGroup(request.groupId, (group) => group.propose(request))
  }

  commit(_: Participant, request: RequestOf<'commit'>): Promise<PackedReplyTo<'commit'>> {
    return this.#inGroup(request.groupId, (group) => group.commit(request))
  }

  tree(_: Participant, request: RequestOf<'tree'>): Promise<PackedReplyTo<'tree'>> {
    return this.#inGroup(request.groupId, (group) => group.tree(request))
  }

  /** Ends the meeting's group. Whoever comes next founds another. */
  async end(reason: ServerNotices['closed']['reason']): Promise<void> {
    const group = this.#group
    if (group === undefined) return
    this.#group = undefined
    group.stop()
    const { store, audience, logger } = this.#environment
    await store.closeGroup(group.log.key)
    logger.info({ meeting: this.#meetingId, epoch: group.log.followed.epoch, reason }, 'closed')
    audience.closed(this.#meetingId, { groupId: group.groupId, reason })
    this.#host.ended()
  }

  /** Follows the group no longer, without ending it. */
  stop(): void {
    this.#group?.stop()
    this.#group = undefined
  }

  #open(log: GroupLog): OpenGroup {
    this.#group?.stop()
    const group: OpenGroup = new OpenGroup(log, this.#environment, {
      later: (task) => this.#later(group, task),
      deserted: () => this.end('empty'),
    })
    this.#group = group
    const { epoch } = log.followed
    this.#environment.logger.info({ meeting: this.#meetingId, epoch }, 'group open')
    return group
  }

  #later(group: OpenGroup, task: () => Promise<void>): void {
    const { logger } = this.#environment
    this.lane
      .run(async () => {
        if (this.#group === group) await task()
      })
      .catch((error: unknown) => {
        logger.error({ meeting: this.#meetingId, err: error }, 'a task of a meeting failed')
      })
  }

  async #inGroup<T>(
    groupId: Bytes,
    handle: (group: OpenGroup) => Promise<T>,
  ): Promise<T | PackedRefusal> {
    const group = await this.#current()
    if (group === undefined || !equalBytes(group.groupId, groupId)) {
      return refuse('group-unknown', 'this is not the group of the meeting')
    }
    return await handle(group)
  }

  /** The meeting's group; after a restart it is taken up from the store. */
  async #current(): Promise<OpenGroup | undefined> {
    if (this.#group !== undefined) return this.#group
    const { store } = this.#environment
    const current = await store.currentGroup(this.#meetingId)
    if (current === null) return undefined
    const key = { meetingId: this.#meetingId, groupId: current.groupId }
    const log = await GroupLog.load(key, this.#groupLogOptions)
    return log === undefined ? undefined : this.#open(log)
  }
}

function summaryOf({ groupId, log }: OpenGroup): GroupSummary {
  return { groupId, epoch: log.followed.epoch, head: log.followed.head }
}
