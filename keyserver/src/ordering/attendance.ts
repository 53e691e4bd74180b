import { type Bytes, encode, equalBytes, toHex } from '@conclave/core/codec'
import {
  type LeafIndex,
  type LeafNode,
  MlsMessage,
  ProtocolVersion,
  WireFormat,
} from '@conclave/core/wire'
import type { Job } from '../jobs/jobs.ts'
import { checkMs, frozenMs, leaseMs, presenceRepeatMs } from '../limits.ts'
import type { GroupKey, PresenceView } from '../store/store.ts'
import type { Participant } from './audience.ts'
import type { GroupLog } from './groupLog.ts'
import type { MeetingEnvironment } from './meetingEnvironment.ts'
import { PacedTask } from './pacedTask.ts'
import { removalsDue } from './removalsDue.ts'

/** Notices that carry a whole list go out at most once in this time. */
export const listNoticeIntervalMs = 50
/** Bytes of a leaf index among others, as JSON. */
export const leafBytes = 4

/** Leaves with the signature keys of those who have them, in hexadecimal. */
type MemberKeys = ReadonlyMap<number, string | undefined>

/** What an open group asks of its meeting. */
export interface GroupHost {
  /** Runs the task after all that the meeting has begun. */
  later(task: () => Promise<void>): void
  /** Nobody is left who could ever commit, or the meeting has lasted as long as one may. */
  end(reason: 'empty' | 'ended'): Promise<void>
  /** Another instance has ended the group, or continued it by another. */
  gone(): Promise<void>
}

/**
 * Who of a group is there, as the store knows it for all instances, and what follows: whoever is
 * absent for the grace period, leaves, or renews no keys, is proposed for removal until it is done;
 * a group in which nobody can commit any more is ended.
 */
export class Attendance {
  readonly #log: GroupLog
  readonly #environment: MeetingEnvironment
  readonly #host: GroupHost
  readonly #notice: PacedTask
  /** Not the instance's alone: connections that it had before, and could not detach, stay gone. */
  readonly #lease: string
  readonly #since: number
  #told: MemberKeys = new Map()
  /** A change of this instance's connections that nobody has been told of yet. */
  #untold = false
  /** Which leaves the connections of this instance speak for, with whom they stood for then. */
  readonly #here = new Map<string, { readonly leaf: LeafIndex; readonly leafNode: LeafNode }>()
  /** When connections came or went, oldest first, until the store has been told once more. */
  readonly #lately = new Map<string, number>()
  /** Checks that this instance has asked for and that are still to come. */
  readonly #checks = new Set<number>()

  constructor(log: GroupLog, environment: MeetingEnvironment, host: GroupHost) {
    this.#log = log
    this.#environment = environment
    this.#host = host
    this.#since = environment.clock.now()
    this.#lease = `${environment.instance}.${this.#since}`
    this.#notice = new PacedTask(environment.clock, listNoticeIntervalMs, () =>
      host.later(() => this.#tell()),
    )
  }

  async attach({ id }: Participant, leaf: LeafIndex): Promise<void> {
    const leafNode = this.#log.followed.publicGroup.tree.leafNode(leaf)
    if (leafNode !== undefined) this.#here.set(id, { leaf, leafNode })
    this.#cameOrWent(id)
    await this.#attach(id, leaf)
  }

  /** The leaf that the connection speaks for, where that is still its member's. */
  leafOf({ id }: Pick<Participant, 'id'>): LeafIndex | undefined {
    const attached = this.#here.get(id)
    if (attached === undefined) return undefined
    const { tree } = this.#log.followed.publicGroup
    const key = tree.leafNode(attached.leaf)?.signatureKey
    const isSame = key !== undefined && equalBytes(key, attached.leafNode.signatureKey)
    return isSame ? attached.leaf : undefined
  }

  async #attach(connection: string, leaf: number): Promise<void> {
    const { store, clock, graceMs } = this.#environment
    const now = clock.now()
    const leaseUntil = store.shared ? now + leaseMs : Number.POSITIVE_INFINITY
    const times = { dueAt: now + graceMs, leaseUntil }
    const attachment = { connection, instance: this.#lease, leaf }
    if (await store.attach(this.#log.key, attachment, times)) this.#changed()
  }

  async detach({ id }: Participant): Promise<void> {
    this.#here.delete(id)
    this.#cameOrWent(id)
    await this.#detach(id)
  }

  /** Whoever was welcomed to a leaf has gone before it spoke for it: it is as absent as others. */
  async neverCame({ id }: Participant, leaf: number): Promise<void> {
    await this.#attach(id, leaf)
    await this.#detach(id)
  }

  async #detach(connection: string): Promise<void> {
    const { store, clock, graceMs } = this.#environment
    const dueAt = clock.now() + graceMs
    if (!(await store.detach(this.#log.key, connection, dueAt))) return
    this.#changed()
    await this.checkAt(dueAt)
  }

  /** Undefined where the store has no such group any more. */
  view(): Promise<PresenceView | undefined> {
    const { store, clock, graceMs, idleMs } = this.#environment
    return store.readPresence(this.#log.key, { now: clock.now(), graceMs, idleMs })
  }

  /** Has some instance look after the group then. */
  async checkAt(at: number): Promise<void> {
    const { jobs, clock } = this.#environment
    const now = clock.now()
    for (const past of this.#checks) if (past <= now) this.#checks.delete(past)
    if (this.#checks.has(at)) return
    await jobs.schedule(checkOf(this.#log.key), at)
    if (at > now) this.#checks.add(at)
  }

  /** Does what is due in the group, and has it looked after again. */
  async check(): Promise<void> {
    const view = await this.view()
    if (view === undefined) return
    const now = this.#environment.clock.now()
    if (view.expiresAt <= now) return this.#host.end('ended')
    if (await this.#removeDue(view)) return
    const { frozenSince } = this.#log.followed
    const frozenUntil = frozenSince === undefined ? undefined : frozenSince + frozenMs
    if (frozenUntil !== undefined) {
      // Whoever is still there begins the meeting anew.
      if (frozenUntil <= now) return this.#host.end('ended')
      await this.checkAt(frozenUntil)
    }
    this.#notice.request()
    for (const at of nextChecks(view, now)) await this.checkAt(at)
  }

  /** Has the group looked after for as long as it is there, whatever becomes of the last check. */
  async checkRegularly(): Promise<void> {
    await this.checkAt(nextRegular(this.#environment.clock.now()))
  }

  /** Proposes to remove whoever is to be removed, in every epoch until it is done. */
  async removeDue(): Promise<void> {
    const view = await this.view()
    if (view !== undefined) await this.#removeDue(view)
  }

  /** Keeps the connections of this instance from being given up. */
  async renewLease(): Promise<void> {
    const { store, clock } = this.#environment
    const now = clock.now()
    const isKept = await store.renewLease(this.#log.key, this.#lease, now + leaseMs)
    // Where it was over, the store could not be reached for so long.
    if (!isKept) for (const connection of this.#here.keys()) await this.#repeat(connection)
    for (const [connection, at] of this.#lately) {
      if (at > now - presenceRepeatMs) break
      await this.#repeat(connection)
      this.#lately.delete(connection)
    }
  }

  /** Tells the store once more whether the connection is here, where it speaks for the same leaf. */
  async #repeat(connection: string): Promise<void> {
    if (!this.#here.has(connection)) return await this.#detach(connection)
    const leaf = this.leafOf({ id: connection })
    if (leaf !== undefined) await this.#attach(connection, leaf)
  }

  #cameOrWent(connection: string): void {
    const { store, clock } = this.#environment
    if (!store.shared) return
    this.#lately.delete(connection)
    this.#lately.set(connection, clock.now())
  }

  /** Tells the connections of this instance, in case that nobody else did. */
  async tellHere(): Promise<void> {
    await this.#tell({ here: true })
  }

  stop(): void {
    this.#notice.stop()
    // The last connection here has gone: those of other instances hear it from nobody else.
    if (this.#untold) this.#tellLast()
  }

  /** @returns whether the group has ended by that */
  async #removeDue(view: PresenceView): Promise<boolean> {
    const { removalSigner, logger, audience, clock, idleMs } = this.#environment
    const { meetingId } = this.#log.key
    const settled = clock.now() - this.#since >= idleMs / 3
    const toRemove = removalsDue(view, { settled })
    if (await this.#endIfDeserted(toRemove)) return true
    // No commit could remove anybody: who is to go goes from the next group.
    if (this.#log.followed.frozenSince !== undefined) return false
    for (const [leaf, envelope] of toRemove) {
      const { publicGroup, ledger, epoch } = this.#log.followed
      if (ledger.pending.has(leaf)) continue
      if (publicGroup.tree.leafNode(leaf as LeafIndex) === undefined) continue
      const { groupContext } = publicGroup
      const message: MlsMessage = {
        version: ProtocolVersion.mls10,
        wireFormat: WireFormat.publicMessage,
        publicMessage: await removalSigner.signRemoval(groupContext, leaf as LeafIndex, envelope),
      }
      const ordered = await this.#log.propose(encode(MlsMessage, message), { own: true })
      const at = { meeting: meetingId, epoch, leaf }
      if (!ordered.ok) {
        logger.warn({ ...at, code: ordered.code }, 'removal could not be proposed')
      } else if (ordered.fresh !== undefined) {
        logger.info({ ...at, seq: ordered.seq }, 'removal of a leaf')
        const { groupId } = this.#log.key
        audience.entry(meetingId, { groupId, entry: ordered.fresh.entry })
      }
    }
    return await this.#endIfDeserted(toRemove)
  }

  /** A group is dead when each of its leaves is to be removed: nobody is left to commit. */
  async #endIfDeserted(toRemove: ReadonlyMap<number, Bytes>): Promise<boolean> {
    const { publicGroup, ledger } = this.#log.followed
    const { pending } = ledger
    if (publicGroup.tree.memberCount > pending.size + toRemove.size) return false
    const dead = publicGroup.tree
      .leaves()
      .every(({ firstLeaf }) => pending.has(firstLeaf) || toRemove.has(firstLeaf))
    if (dead) await this.#host.end('empty')
    return dead
  }

  #tellLast(): void {
    const { logger } = this.#environment
    this.#tell().catch((error: unknown) => {
      logger.warn({ meeting: this.#log.key.meetingId, err: error }, 'presence was not told')
    })
  }

  #changed(): void {
    this.#untold = true
    this.#notice.request()
  }

  async #tell(options: { readonly here?: boolean } = {}): Promise<void> {
    const view = await this.view()
    if (view === undefined) return
    const { present } = view
    // Other instances may have told something else since.
    const mayDiffer = this.#environment.store.shared && this.#untold
    this.#untold = false
    const keys = this.#memberKeys()
    const here = new Map(present.map((leaf) => [leaf, keys.get(leaf)]))
    if (!mayDiffer && !this.#isNews(here, keys)) return
    this.#told = here
    const { meetingId, groupId } = this.#log.key
    this.#environment.audience.present(meetingId, { groupId, leaves: present }, options)
    this.#notice.weigh({ bytes: leafBytes * present.length, hearers: present.length })
  }

  /** That somebody is gone who is on the way out, or out, is none. */
  #isNews(here: MemberKeys, keys: MemberKeys): boolean {
    const { pending } = this.#log.followed.ledger
    const isMissed = (leaf: number, key: string | undefined) =>
      !here.has(leaf) && keys.get(leaf) === key && !pending.has(leaf)
    return (
      [...here].some(([leaf, key]) => key === undefined || this.#told.get(leaf) !== key) ||
      [...this.#told].some(([leaf, key]) => isMissed(leaf, key))
    )
  }

  /** Who has which leaf. */
  #memberKeys(): MemberKeys {
    const leaves = this.#log.followed.publicGroup.tree.leaves()
    return new Map(
      leaves.map(({ firstLeaf, signatureKey }) => [firstLeaf, signatureKey && toHex(signatureKey)]),
    )
  }
}

/**
 * Looks after a group that this instance does not follow, as far as that goes without taking it up.
 * @returns whether nothing is due in it
 */
export async function checkFromAfar(
  key: GroupKey,
  { store, jobs, clock, graceMs, idleMs }: MeetingEnvironment,
): Promise<boolean> {
  const now = clock.now()
  const view = await store.readPresence(key, { now, graceMs, idleMs })
  if (view === undefined) return true
  // Who is idle is connected somewhere: those who follow the group look after that.
  if (view.expiresAt <= now || removalsDue(view, { settled: false }).size > 0) return false
  for (const at of nextChecks(view, now)) await jobs.schedule(checkOf(key), at)
  return true
}

function checkOf({ meetingId, groupId }: GroupKey): Job {
  return { kind: 'check-group', meetingId, groupId: toHex(groupId) }
}

/** When a group has to be looked after next. */
function nextChecks({ expiresAt, nextDue }: PresenceView, now: number): readonly number[] {
  const regular = nextRegular(now)
  return [regular, expiresAt, nextDue ?? regular].filter((at, i) => i === 0 || at < regular)
}

/** Everybody's regular checks fall on the same moments, so that they are one. */
function nextRegular(now: number): number {
  return (Math.floor(now / checkMs) + 1) * checkMs
}
