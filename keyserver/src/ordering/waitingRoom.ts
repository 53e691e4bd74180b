import { type Bytes, emptyBytes, equalBytes, toHex } from '@conclave/core/codec'
import { type PackedReplyTo, packJoiners, type RequestOf } from '@conclave/core/delivery'
import { waitingMs } from '../limits.ts'
import type { Attachment, GroupContinuation, WaitingEntry, WelcomePart } from '../store/store.ts'
import { type GroupHost, listNoticeIntervalMs } from './attendance.ts'
import type { Participant } from './audience.ts'
import type { GroupLog } from './groupLog.ts'
import { verifyJoiner } from './joiner.ts'
import type { MeetingEnvironment } from './meetingEnvironment.ts'
import { refuse, refuseFor } from './orderingError.ts'
import { PacedTask } from './pacedTask.ts'

/** Who waits to be added to a group. The list is the store's; connections here own entries of it. */
export class WaitingRoom {
  readonly #log: GroupLog
  readonly #environment: MeetingEnvironment
  readonly #notice: PacedTask
  /** The KeyPackageRef that a connection waits with. */
  readonly #refs = new Map<string, Bytes>()
  /** The one that it was welcomed by. */
  readonly #welcomed = new Map<string, Bytes>()
  readonly #neverCame: (participant: Participant, leaf: number) => Promise<void>
  #told = ''
  /** Whose KeyPackages the connections of all instances were sent. */
  #known: ReadonlySet<string> = new Set()
  #cancelExpiry: (() => void) | undefined

  /** @param neverCame a participant will not speak for a leaf that it was welcomed to */
  constructor(
    log: GroupLog,
    environment: MeetingEnvironment,
    host: GroupHost,
    neverCame: (participant: Participant, leaf: number) => Promise<void>,
  ) {
    this.#neverCame = neverCame
    this.#log = log
    this.#environment = environment
    this.#notice = new PacedTask(environment.clock, listNoticeIntervalMs, () =>
      host.later(() => this.#tell()),
    )
  }

  async wait(
    participant: Participant,
    { keyPackage }: RequestOf<'wait'>,
  ): Promise<PackedReplyTo<'wait'>> {
    const { store, clock, limits } = this.#environment
    const now = clock.now()
    let ref: Bytes
    try {
      ref = await verifyJoiner(keyPackage, this.#log.followed.publicGroup, now)
    } catch (error) {
      return refuseFor('key-package-invalid', error)
    }
    const { id: owner, identity } = participant
    const entry = { ref, keyPackage, owner, identity, expiresAt: now + waitingMs }
    const bounds = { waiting: limits.waitingJoiners, now }
    const waiting = await store.addWaiting(this.#log.key, entry, bounds)
    switch (waiting.outcome) {
      case 'waiting':
        await this.#waitWith(participant, ref)
        this.#notice.request()
        return { ok: true, position: waiting.position }
      case 'welcomed':
        this.#welcome(participant.id, waiting.part, waiting.seq)
        return { ok: true, position: 0 }
      case 'used':
        return refuse(
          'key-package-invalid',
          'the KeyPackage has been used, or is somebody else’s',
          {
            detail: 'key-package-used',
          },
        )
      case 'full':
        return refuse('waiting-list-full', `${limits.waitingJoiners} others wait`)
      case 'group-unknown':
        return refuse('group-unknown', 'the group has ended')
    }
  }

  async list(): Promise<readonly WaitingEntry[]> {
    const { store, clock } = this.#environment
    return await store.listWaiting(this.#log.key, clock.now())
  }

  /** A commit has added some of those who wait. */
  admitted(owners: readonly WaitingEntry[], parts: readonly WelcomePart[], seq: number): void {
    for (const { ref, owner } of owners) {
      const part = parts.find((candidate) => equalBytes(candidate.ref, ref))
      // The connection may be another instance's.
      if (part !== undefined) this.#sendWelcome(owner, part, seq)
      if (this.#refs.delete(owner)) this.#welcomed.set(owner, ref)
    }
    // Members would add once more whom the commit has added.
    if (owners.length > 0) this.#notice.requestAtOnce()
  }

  /** Those who speak for a leaf of the group before are welcomed to the one that continues it. */
  welcomeAll(
    attached: readonly Pick<Attachment, 'connection' | 'leaf'>[],
    { leaves, parts }: Pick<GroupContinuation, 'leaves' | 'parts'>,
  ): void {
    const places = new Map(leaves.map(({ before, after }) => [before, after]))
    const byLeaf = new Map(parts.map((part) => [part.leafIndex, part]))
    for (const { connection, leaf } of attached) {
      const part = byLeaf.get(places.get(leaf) ?? Number.NaN)
      if (part !== undefined) this.#welcome(connection, part, 0)
    }
  }

  /** Welcomes those who wait here and whom another instance's commit has added. */
  async lookForWelcomes(): Promise<void> {
    if (this.#refs.size === 0) return
    const { store, clock } = this.#environment
    const waiting = new Set((await this.list()).map(({ ref }) => toHex(ref)))
    for (const [owner, ref] of this.#refs) {
      if (waiting.has(toHex(ref))) continue
      // Added, or expired.
      const found = await store.findWelcome(this.#log.key, ref, clock.now())
      this.#refs.delete(owner)
      if (found !== undefined) this.#welcome(owner, found.part, found.seq)
    }
  }

  /** Tells the connections of this instance, in case that nobody else did. */
  async tellHere(): Promise<void> {
    await this.#tell({ here: true })
  }

  /** The connection is gone, and its KeyPackage waits no longer. */
  async leave(participant: Participant): Promise<void> {
    const { id } = participant
    const ref = this.#refs.get(id) ?? this.#welcomed.get(id)
    if (ref === undefined) return
    const { store } = this.#environment
    const withdrawn = await store.withdrawWaiting(this.#log.key, ref, id)
    if (withdrawn) this.#notice.request()
    const leaf = await this.#leafOf(ref)
    if (leaf !== undefined) await this.#neverCame(participant, leaf)
    this.#refs.delete(id)
    this.#welcomed.delete(id)
  }

  /** The leaf that a KeyPackage was added as, while its Welcome waits for its owner. */
  async #leafOf(ref: Bytes): Promise<number | undefined> {
    const { store, clock } = this.#environment
    const welcome = await store.findWelcome(this.#log.key, ref, clock.now())
    return welcome?.part.leafIndex
  }

  stop(): void {
    this.#notice.stop()
    this.#cancelExpiry?.()
  }

  /**
   * A connection waits with one KeyPackage, the newest: whoever waits anew has given up what it
   * waited for before, or was welcomed to.
   */
  async #waitWith(participant: Participant, ref: Bytes): Promise<void> {
    const { id } = participant
    const before = this.#refs.get(id)
    this.#refs.set(id, ref)
    const welcomed = this.#welcomed.get(id)
    if (welcomed !== undefined) {
      const leaf = await this.#leafOf(welcomed)
      this.#welcomed.delete(id)
      if (leaf !== undefined) await this.#neverCame(participant, leaf)
    }
    if (before === undefined || equalBytes(before, ref)) return
    await this.#environment.store.withdrawWaiting(this.#log.key, before, id)
  }

  async #tell(options: { readonly here?: boolean } = {}): Promise<void> {
    const { audience, clock } = this.#environment
    const { meetingId, groupId } = this.#log.key
    const waiting = await this.list()
    const refs = waiting.map(({ ref }) => toHex(ref))
    const told = refs.join()
    // Whoever posts the same KeyPackage again makes no news.
    if (told !== this.#told) {
      const news = waiting.map(({ ref, keyPackage }, i) => ({
        ref,
        keyPackage: this.#known.has(refs[i] as string) ? emptyBytes : keyPackage,
      }))
      const joiners = packJoiners(news)
      audience.waiting(meetingId, { groupId, joiners }, packJoiners(waiting), options)
      if (options.here !== true) this.#known = new Set(refs)
      const { memberCount } = this.#log.followed.publicGroup.tree
      this.#notice.weigh({ bytes: joiners.length, hearers: memberCount })
    }
    this.#told = told
    this.#cancelExpiry?.()
    this.#cancelExpiry = undefined
    if (waiting.length === 0) return
    const earliest = Math.min(...waiting.map(({ expiresAt }) => expiresAt))
    this.#cancelExpiry = clock.setTimer(earliest - clock.now(), () => this.#notice.request())
  }

  /** A connection that is here is as absent as others when it goes. */
  #welcome(id: string, part: WelcomePart, seq: number): void {
    this.#welcomed.set(id, part.ref)
    this.#sendWelcome(id, part, seq)
  }

  #sendWelcome(id: string, { ref, welcome }: { ref: Bytes; welcome: Bytes }, seq: number): void {
    const { groupId } = this.#log.key
    this.#environment.audience.welcome(id, { groupId, ref, welcome, seq })
  }
}
