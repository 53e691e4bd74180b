import { type Bytes, encode, equalBytes, toHex } from '@conclave/core/codec'
import { verifyWithLabel } from '@conclave/core/crypto/public'
import {
  type LogEntry,
  type PackedReplyTo,
  packEntries,
  packJoiners,
  presenceLabel,
  presenceTbs,
  type RequestOf,
} from '@conclave/core/delivery'
import { type LeafIndex, MlsMessage, ProtocolVersion, WireFormat } from '@conclave/core/wire'
import { waitingMs } from '../limits.ts'
import type { WaitingEntry } from '../store/store.ts'
import type { Participant } from './audience.ts'
import type { GroupLog, OrderedCommit } from './groupLog.ts'
import { verifyJoiner } from './joiner.ts'
import type { MeetingEnvironment } from './meetingEnvironment.ts'
import { refuse, refuseFor } from './orderingError.ts'
import { PacedNotice } from './pacedNotice.ts'
import { Presence } from './presence.ts'

/** Notices that carry a whole list go out at most once in this time. */
const listNoticeIntervalMs = 50

/** What an open group asks of its meeting. */
export interface GroupHost {
  /** Runs the task after all that the meeting has begun. */
  later(task: () => Promise<void>): void
  /** Nobody is left who could ever commit, or has been for the grace period. */
  deserted(): Promise<void>
}

/**
 * A meeting's group while it is open: its log, who waits to be added and who is there. The caller
 * runs one method at a time.
 */
export class OpenGroup {
  readonly log: GroupLog
  readonly #meetingId: string
  readonly #environment: MeetingEnvironment
  readonly #host: GroupHost
  readonly #presence: Presence
  readonly #waitingNotice: PacedNotice
  readonly #presentNotice: PacedNotice
  /** The KeyPackageRef that a connection waits with. */
  readonly #waitingRefs = new Map<string, Bytes>()
  #toldWaiting = ''
  #cancelExpiry: (() => void) | undefined

  constructor(log: GroupLog, environment: MeetingEnvironment, host: GroupHost) {
    this.log = log
    this.#meetingId = log.key.meetingId
    this.#environment = environment
    this.#host = host
    const { clock, graceMs } = environment
    this.#waitingNotice = new PacedNotice(clock, listNoticeIntervalMs, () =>
      host.later(() => this.#sendWaiting()),
    )
    this.#presentNotice = new PacedNotice(clock, listNoticeIntervalMs, () => this.#sendPresent())
    this.#presence = new Presence(clock, graceMs, {
      changed: () => this.#presentNotice.request(),
      overdue: () => host.later(() => this.#removeAbsent()),
      deserted: () => host.later(() => this.#removeAbsent()),
    })
    for (const { leafIndex } of log.followed.publicGroup.tree.members()) {
      this.#presence.added(leafIndex)
    }
  }

  get groupId(): Bytes {
    return this.log.key.groupId
  }

  async wait(
    participant: Participant,
    { keyPackage }: RequestOf<'wait'>,
  ): Promise<PackedReplyTo<'wait'>> {
    const { store, clock, limits } = this.#environment
    const now = clock.now()
    let ref: Bytes
    try {
      ref = await verifyJoiner(keyPackage, this.log.followed.publicGroup, now)
    } catch (error) {
      return refuseFor('key-package-invalid', error)
    }
    const entry = { ref, keyPackage, owner: participant.id, expiresAt: now + waitingMs }
    const bounds = { waiting: limits.waitingJoiners, now }
    const waiting = await store.addWaiting(this.log.key, entry, bounds)
    switch (waiting.outcome) {
      case 'waiting':
        await this.#waitWith(participant, ref)
        this.#waitingNotice.request()
        return { ok: true, position: waiting.position }
      case 'welcomed': {
        const { part, seq } = waiting
        this.#sendWelcome(participant.id, part, seq)
        return { ok: true, position: 0 }
      }
      case 'used':
        return refuse('key-package-invalid', 'the KeyPackage has been used', {
          detail: 'key-package-used',
        })
      case 'full':
        return refuse('waiting-list-full', `${limits.waitingJoiners} others wait`)
      case 'group-unknown':
        return refuse('group-unknown', 'the group has ended')
    }
  }

  async resume(
    participant: Participant,
    { after }: RequestOf<'resume'>,
  ): Promise<PackedReplyTo<'resume'>> {
    const page = await this.log.page(after)
    if (!page.ok) return page
    const { entries, head } = page
    if (after + entries.length === head) {
      this.#environment.audience.follow(this.#meetingId, participant.id)
    }
    const waiting = packJoiners(await this.#listWaiting())
    const { present } = this.#presence
    return { ok: true, entries: packEntries(entries), head, waiting, present }
  }

  async attach(
    participant: Participant,
    { leafIndex, signature }: RequestOf<'attach'>,
  ): Promise<PackedReplyTo<'attach'>> {
    const { crypto, tree } = this.log.followed.publicGroup
    const leafNode = tree.leafNode(leafIndex as LeafIndex)
    const content = presenceTbs(this.groupId, leafIndex, participant.nonce)
    const proven =
      leafNode !== undefined &&
      (await verifyWithLabel(crypto, leafNode.signatureKey, presenceLabel, content, signature))
    if (!proven) return refuse('presence-invalid', 'the leaf did not sign for this connection')
    this.#presence.attach(leafIndex, participant.id)
    await this.#environment.store.dropWelcome(this.log.key, leafIndex)
    return { ok: true }
  }

  async propose({ message }: RequestOf<'propose'>): Promise<PackedReplyTo<'propose'>> {
    const { store, logger } = this.#environment
    const ordered = await this.log.propose(message)
    if (!ordered.ok) return ordered
    const { seq, fresh } = ordered
    if (fresh !== undefined) {
      logger.debug({ ...this.#at(), seq }, 'proposal')
      this.#publish(fresh.entry)
      if (fresh.removes !== undefined && fresh.removes === fresh.sender) {
        this.#presence.leaving(fresh.removes)
      }
      await this.#condemn()
    }
    return { ok: true, seq, durable: store.durable }
  }

  async commit(request: RequestOf<'commit'>): Promise<PackedReplyTo<'commit'>> {
    const ordered = await this.log.commit(request)
    if (!ordered.ok) return ordered
    if (ordered.fresh !== undefined) await this.#begun(ordered.fresh)
    return { ok: true, seq: ordered.seq, durable: this.#environment.store.durable }
  }

  async tree({ treeHash }: RequestOf<'tree'>): Promise<PackedReplyTo<'tree'>> {
    const ratchetTree = await this.log.tree(treeHash)
    if (ratchetTree === undefined) return refuse('tree-unknown', 'no tree with this hash is kept')
    return { ok: true, ratchetTree }
  }

  /** The connection is gone: its leaf has the grace period, its KeyPackage waits no longer. */
  async leave(participant: Participant): Promise<void> {
    this.#presence.detach(participant.id)
    const ref = this.#waitingRefs.get(participant.id)
    this.#waitingRefs.delete(participant.id)
    if (ref === undefined) return
    const { store } = this.#environment
    const withdrawn = await store.withdrawWaiting(this.log.key, ref, participant.id)
    if (withdrawn) this.#waitingNotice.request()
  }

  /** Nothing happens by itself any more. */
  stop(): void {
    this.#presence.stop()
    this.#waitingNotice.stop()
    this.#presentNotice.stop()
    this.#cancelExpiry?.()
  }

  /** A commit has begun an epoch. */
  async #begun(fresh: NonNullable<Extract<OrderedCommit, { ok: true }>['fresh']>): Promise<void> {
    const { entry, added, removed, welcomeParts, admitted } = fresh
    const counts = { added: added.length, removed: removed.length }
    this.#environment.logger.info({ ...this.#at(), seq: entry.seq, ...counts }, 'commit')
    this.#publish(entry)
    for (const { ref, owner } of admitted) {
      const part = welcomeParts.find((candidate) => equalBytes(candidate.ref, ref))
      if (part !== undefined) this.#sendWelcome(owner, part, entry.seq)
      this.#waitingRefs.delete(owner)
    }
    if (admitted.length > 0) this.#waitingNotice.request()
    for (const leaf of removed) this.#presence.removed(leaf)
    for (const leaf of added) this.#presence.added(leaf)
    await this.#removeAbsent()
  }

  /** Proposes to remove whoever is absent or leaving, in every epoch until it is done. */
  async #removeAbsent(): Promise<void> {
    if (await this.#endIfDeserted()) return
    const { removalSigner, logger } = this.#environment
    for (const leaf of this.#presence.toRemove) {
      const { publicGroup, ledger } = this.log.followed
      if (ledger.pending.has(leaf)) continue
      const message: MlsMessage = {
        version: ProtocolVersion.mls10,
        wireFormat: WireFormat.publicMessage,
        publicMessage: await removalSigner.signRemoval(publicGroup.groupContext, leaf as LeafIndex),
      }
      const ordered = await this.log.propose(encode(MlsMessage, message), { own: true })
      if (!ordered.ok) {
        logger.warn({ ...this.#at(), leaf, code: ordered.code }, 'removal could not be proposed')
      } else if (ordered.fresh !== undefined) {
        logger.info({ ...this.#at(), seq: ordered.seq, leaf }, 'removal of an absent leaf')
        this.#publish(ordered.fresh.entry)
      }
    }
    await this.#condemn()
  }

  async #condemn(): Promise<void> {
    this.#presence.condemn(this.log.followed.ledger.pending)
    await this.#endIfDeserted()
  }

  /**
   * A group in which nobody can commit any more is dead: all its leaves are to be removed, or for
   * the grace period none of the others was there.
   */
  async #endIfDeserted(): Promise<boolean> {
    const { publicGroup, ledger } = this.log.followed
    const doomed = new Set([...ledger.pending, ...this.#presence.toRemove])
    const dead = publicGroup.tree.members().every(({ leafIndex }) => doomed.has(leafIndex))
    if (!dead && !this.#presence.deserted) return false
    await this.#host.deserted()
    return true
  }

  /** A connection waits with one KeyPackage, the newest. */
  async #waitWith({ id }: Participant, ref: Bytes): Promise<void> {
    const before = this.#waitingRefs.get(id)
    this.#waitingRefs.set(id, ref)
    if (before === undefined || equalBytes(before, ref)) return
    await this.#environment.store.withdrawWaiting(this.log.key, before, id)
  }

  async #listWaiting(): Promise<readonly WaitingEntry[]> {
    const { store, clock } = this.#environment
    return await store.listWaiting(this.log.key, clock.now())
  }

  async #sendWaiting(): Promise<void> {
    const { audience, clock } = this.#environment
    const waiting = await this.#listWaiting()
    const refs = waiting.map(({ ref }) => toHex(ref)).join()
    // Whoever posts the same KeyPackage again makes no news.
    if (refs !== this.#toldWaiting) {
      const joiners = packJoiners(waiting)
      audience.waiting(this.#meetingId, { groupId: this.groupId, joiners })
    }
    this.#toldWaiting = refs
    this.#cancelExpiry?.()
    this.#cancelExpiry = undefined
    if (waiting.length === 0) return
    const earliest = Math.min(...waiting.map(({ expiresAt }) => expiresAt))
    this.#cancelExpiry = clock.setTimer(earliest - clock.now(), () => this.#waitingNotice.request())
  }

  #sendPresent(): void {
    const notice = { groupId: this.groupId, leaves: this.#presence.present }
    this.#environment.audience.present(this.#meetingId, notice)
  }

  #sendWelcome(id: string, { ref, welcome }: { ref: Bytes; welcome: Bytes }, seq: number): void {
    const notice = { groupId: this.groupId, ref, welcome, seq }
    this.#environment.audience.welcome(id, notice)
  }

  #publish(entry: LogEntry): void {
    const notice = { groupId: this.groupId, entry }
    this.#environment.audience.entry(this.#meetingId, notice)
  }

  /** What every log line of this group names. */
  #at(): { readonly meeting: string; readonly epoch: number } {
    return { meeting: this.#meetingId, epoch: this.log.followed.epoch }
  }
}
