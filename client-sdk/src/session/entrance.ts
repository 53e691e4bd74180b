import type { Clock, ConclaveError, RandomBytes } from '@conclave/core'
import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { SecretSuite } from '@conclave/core/crypto/secret'
import type { LogEntry, RefusalCode, ServerNotices } from '@conclave/core/delivery'
import type { MeetingTrust } from '@conclave/core/meeting'
import { Group } from '@conclave/core/mls/group'
import type { Invitation } from '../directory/invitation.ts'
import type { RoomEnvironment } from '../rooms/roomBond.ts'
import type { DeliveryLink } from './deliveryLink.ts'
import { type Entered, encodeKeyPackage, foundMeeting, joinByWelcome } from './enterMeeting.ts'
import { type ExternalEntry, prepareEntry, readGroupInfo } from './externalEntry.ts'
import { keyPackageFor, type MeetingLeaf } from './identity.ts'
import { InvitedEntry } from './invitedEntry.ts'
import { firstWait, nextWait, nothingWaited, type Wait } from './patience.ts'
import { isGroupOver, isTransient, refusal, SessionError } from './sessionError.ts'
import { StepTimer } from './stepTimer.ts'
import { WaitingPlace } from './waitingPlace.ts'

/** External commits of ours that may lose before we wait to be added. */
const attempts = 3
/** The pause after one that lost, longer after each. */
const againMs = 100
const maxAgainMs = 3_000
const treeUnknown: RefusalCode = 'tree-unknown'
const epochGone = 'epoch-gone'
/** Why a Welcome comes too late. */
const lateness: ReadonlySet<string | undefined> = new Set([treeUnknown, epochGone])
/** A keyserver of which no Welcome leads anywhere lies. */
const maxLateWelcomes = 2

/** How far somebody has come on the way in. */
export type JoinProgress =
  /** The keyserver has let us in; what follows depends on the meeting's members. */
  | { readonly stage: 'authorised' }
  /** On the list of those whom the next committer adds; `position` counts from 0. */
  | { readonly stage: 'waiting'; readonly position: number }
  /** Entering by a commit of our own. */
  | { readonly stage: 'committing' }

export interface EntranceOptions {
  readonly meetingId: string
  readonly trust: MeetingTrust
  readonly groups: RoomEnvironment
  /** Of new meetings; one that goes on in another group may have another. */
  readonly suite: SecretSuite
  readonly link: Pick<DeliveryLink, 'request'>
  readonly clock: Clock
  readonly random: RandomBytes
  readonly newLeaf: () => Promise<MeetingLeaf>
  /** A Welcome that has come already. */
  readonly invitation?: Invitation | undefined
}

export interface EntranceHost {
  /** Runs a step after all that have been begun. */
  run(step: () => Promise<void>): void
  progress(progress: JoinProgress): void
  problem(error: ConclaveError): void
  /** We are in. `entry` is the commit that let us in, where it is our own. */
  began(group: Group, seq: number, own: MeetingLeaf, entry?: LogEntry): Promise<void>
  /**
   * A commit, of ours or of somebody else, may bring this leaf into the group from now on. Resolves
   * once that outlasts a crash: then the next process takes its place.
   * @throws SessionError `store-unavailable`
   */
  offering(own: MeetingLeaf, groupId: Bytes): Promise<void>
}

/** What is left of a place in the group that we had. */
export interface LostPlace {
  readonly groupId: Bytes
  readonly own: MeetingLeaf
  /** The epoch from which on the group may be entered. */
  readonly minEpoch: bigint
  /** Whether our leaf has been removed, so that others can add us; else only we can take it again. */
  readonly isRemoved: boolean
}

/**
 * The way into a meeting's group: founding it, waiting to be added, or a commit of our own
 * (RFC 9420 §12.4.3). Whichever fails or takes too long is followed by the other. All of them bring
 * the same signature key, of which a group has no two, so that nobody comes in twice.
 */
export class Entrance {
  readonly #options: EntranceOptions
  readonly #host: EntranceHost
  readonly #place: WaitingPlace
  readonly #invited: InvitedEntry | undefined
  readonly #timer: StepTimer
  #own: MeetingLeaf | undefined
  #lost: LostPlace | undefined
  #waitingFor: Bytes | undefined
  #waited = nothingWaited
  #commit: ExternalEntry | undefined
  #attempts = 0
  #lateWelcomes = 0
  /** The suite of the group that we want to enter, where it is not the one of new meetings. */
  #suite: { readonly of: Bytes; readonly suite: SecretSuite } | undefined
  #closed = false

  constructor(options: EntranceOptions, host: EntranceHost) {
    this.#options = options
    this.#host = host
    this.#place = new WaitingPlace(options.clock, () => host.run(() => this.#renewPlace()))
    this.#timer = new StepTimer(options.clock, (step) => host.run(step))
    const { invitation, groups, link } = options
    const problem = (error: ConclaveError) => host.problem(error)
    this.#invited = invitation && new InvitedEntry({ invitation, groups, link, problem })
  }

  /** The next way in begins where a place was lost. */
  returnTo(lost: LostPlace): void {
    this.#lost = lost
    this.#own = lost.own
  }

  /**
   * Goes on over a connection that has entered the meeting.
   * @throws SessionError, MlsError, MeetingError
   */
  async goOn(entered: Entered): Promise<void> {
    this.#host.progress({ stage: 'authorised' })
    const { group } = entered
    const invited = await this.#invited?.enter(group?.groupId)
    if (invited !== undefined) {
      this.#own = invited.own
      return this.#enter(invited.group, invited.seq)
    }
    if (group === null) return this.#found(entered)
    const { groupId, head } = group
    if (this.#lost !== undefined && !equalBytes(this.#lost.groupId, groupId)) {
      // A signature key serves one group.
      this.#lost = undefined
      this.#dropLeaf()
    }
    this.#waited = { ...nothingWaited, head }
    if (this.#commit !== undefined && equalBytes(this.#commit.groupId, groupId)) {
      return this.#offer(this.#commit)
    }
    this.#discardCommit()
    this.#attempts = 0
    const nobodyToWaitFor = async () =>
      this.#waitingFor === undefined && (await this.#presentIn(groupId, head)) === 0
    if (this.#retakes || (await nobodyToWaitFor())) return this.#commitIn(groupId)
    await this.#wait(groupId)
  }

  /** A committer has added us. */
  async welcomed(notice: ServerNotices['welcome']): Promise<void> {
    const { groups, link } = this.#options
    const { bundle } = this.#place
    if (bundle === undefined || !equalBytes(notice.ref, bundle.ref)) return
    let group: Group
    try {
      group = await joinByWelcome(groups, link, bundle, notice)
      this.#checkEpoch(group)
    } catch (error) {
      if (error instanceof SessionError && error.code === 'parent-behind') this.#giveUpPlace()
      const isLate = error instanceof SessionError && lateness.has(error.detail)
      this.#lateWelcomes += 1
      if (!isLate || this.#lateWelcomes > maxLateWelcomes) throw error
      // So old that its tree, or the epoch, is gone, and the leaf that it is for as good as absent.
      this.#giveUpPlace()
      return this.#wait(notice.groupId)
    }
    this.#place.admitted()
    await this.#enter(group, notice.seq)
  }

  /** Whether a place is to be taken again that nobody else can give us. */
  get #retakes(): boolean {
    return this.#lost !== undefined && !this.#lost.isRemoved
  }

  /** @throws SessionError `log-rolled-back`; the group is closed then */
  #checkEpoch(group: Group): void {
    if (group.epoch >= (this.#lost?.minEpoch ?? 0n)) return
    group.close()
    const message = 'the Welcome is to an epoch before the last that we have seen'
    throw new SessionError('log-rolled-back', message, { detail: epochGone })
  }

  /** Whether we were on the way into this group, which has ended. */
  isOver(groupId: Bytes): boolean {
    const wanted = this.#waitingFor ?? this.#commit?.groupId ?? this.#lost?.groupId
    if (wanted === undefined || !equalBytes(wanted, groupId)) return false
    // A signature key serves one group.
    this.#lost = undefined
    this.#dropLeaf()
    this.#forget()
    return true
  }

  /** Wipes what was to let us in. */
  close(): void {
    this.#closed = true
    this.#forget()
    this.#dropLeaf()
  }

  async #found(entered: Entered): Promise<void> {
    const { groups, link, meetingId, trust } = this.#options
    const own = await this.#leaf()
    const result = await foundMeeting(groups, link, meetingId, trust, own, entered)
    if (result.kind === 'lost') return this.#wait(result.groupId)
    await this.#enter(result.group, result.seq)
  }

  async #wait(groupId: Bytes): Promise<void> {
    const { link, clock } = this.#options
    const suite = this.#suiteOf(groupId)
    this.#waitingFor = groupId
    const before = this.#place.bundle
    const own = await this.#leaf()
    const bundle = before ?? (await keyPackageFor(suite, own, clock))
    if (bundle !== before) this.#place.waitWith(bundle)
    await this.#host.offering(own, groupId)
    if (this.#closed) return this.#place.forget()
    const reply = await link.request('wait', { groupId, keyPackage: encodeKeyPackage(bundle) })
    if (reply.ok) {
      const { position } = reply
      this.#host.progress({ stage: 'waiting', position })
      return this.#waitOn(firstWait({ ...this.#waited, position, turns: 0 }))
    }
    // A group that has just ended, or been continued, announces it, and then we enter again.
    if (reply.code === 'group-unknown' || reply.code === 'group-continued') return
    if (reply.code !== 'key-package-invalid') throw refusal(reply)
    if (bundle !== before) {
      const known = this.#suiteOf(groupId)
      if (!(await this.#learnSuite(groupId))) return
      if (this.#suiteOf(groupId) === known) throw refusal(reply)
    }
    // While we were away it has been used, or has expired.
    this.#giveUpPlace()
    await this.#wait(groupId)
  }

  #suiteOf(groupId: Bytes): SecretSuite {
    const known = this.#suite
    return known !== undefined && equalBytes(known.of, groupId) ? known.suite : this.#options.suite
  }

  /** A meeting that was reinitialised may have another suite; whether the group is still there. */
  async #learnSuite(groupId: Bytes): Promise<boolean> {
    const { link, groups } = this.#options
    const described = await link.request('groupInfo', { groupId })
    if (!described.ok) {
      const error = refusal(described)
      if (isTransient(error)) throw error
      return false
    }
    const { cipherSuite } = readGroupInfo(described.groupInfo).groupContext
    const suite = groups.crypto.secretSuite(cipherSuite)
    if (suite !== undefined && cipherSuite !== this.#suiteOf(groupId).suite.id) {
      this.#suite = { of: groupId, suite }
    }
    return true
  }

  /** If somebody has used the KeyPackage all the same, there is a leaf with its signature key. */
  #giveUpPlace(): void {
    this.#place.forget()
    this.#dropLeaf()
  }

  async #renewPlace(): Promise<void> {
    this.#giveUpPlace()
    if (this.#waitingFor !== undefined) await this.#wait(this.#waitingFor)
  }

  #waitOn({ waited, ms }: Wait): void {
    this.#waited = waited
    this.#startTimer(ms, () => this.#waitedLong())
  }

  /** Nobody has added us: whoever could may be gone. */
  async #waitedLong(): Promise<void> {
    const { link } = this.#options
    const groupId = this.#waitingFor
    if (groupId === undefined || this.#commit !== undefined) return
    const described = await link.request('groupInfo', { groupId })
    if (!described.ok) return this.#waitOn(firstWait(this.#waited))
    const { seq: head } = described
    const present = (await this.#presentIn(groupId, head)) ?? 0
    const position = await this.#position(groupId)
    const next = nextWait(this.#waited, { head, present, position })
    if (next !== undefined) return this.#waitOn(next)
    this.#attempts = 0
    await this.#commitIn(groupId)
  }

  /** How many wait longer than we do. */
  async #position(groupId: Bytes): Promise<number> {
    const { bundle } = this.#place
    if (bundle === undefined) return 0
    const keyPackage = encodeKeyPackage(bundle)
    const reply = await this.#options.link.request('wait', { groupId, keyPackage })
    return reply.ok ? reply.position : 0
  }

  async #commitIn(groupId: Bytes): Promise<void> {
    const { groups, link } = this.#options
    if (this.#attempts >= attempts && !this.#retakes) return this.#wait(groupId)
    this.#attempts += 1
    this.#host.progress({ stage: 'committing' })
    const own = await this.#leaf()
    const minEpoch = this.#lost?.minEpoch ?? 0n
    const entry = await prepareEntry(groups, link, groupId, { own, minEpoch }).catch((error) => {
      // A newcomer is told of it, and then enters again.
      if (this.#lost !== undefined || !isGroupOver(error)) throw error
      return undefined
    })
    if (this.#closed) return entry?.pending.discard()
    if (entry === undefined) return this.#commitLater(groupId, this.#pause)
    this.#commit = entry
    await this.#host.offering(own, groupId)
    await this.#offer(entry)
  }

  get #pause(): number {
    return Math.min(maxAgainMs, againMs * this.#attempts)
  }

  /**
   * Others have been faster, or the group has not gone on as far as it must have. Meanwhile the
   * Welcome of whoever was faster may come.
   */
  #commitLater(groupId: Bytes, pauseMs: number): void {
    this.#startTimer(pauseMs, () => this.#commitIn(groupId))
  }

  /** Not all who wait for something do the next thing at the same time. */
  #startTimer(ms: number, step: () => Promise<void>): void {
    const [lot = 0] = this.#options.random(1)
    this.#timer.set(ms * (1 + lot / 256), step)
  }

  /** An answer that stays out leaves the commit to be offered again. */
  async #offer(entry: ExternalEntry): Promise<void> {
    const { groupId, pending, after } = entry
    const { message, groupInfo } = pending
    const upload = { groupId, after, message, welcome: null, groupInfo }
    const offered = this.#options.link.request('commit', upload)
    // Begun while the keyserver decides; what comes of it matters where the commit has won.
    pending.verifyLeaves().catch(() => {})
    const reply = await offered
    if (reply.ok) await pending.verifyLeaves().catch((error) => this.#refuse(entry, error))
    if (this.#closed || this.#commit !== entry) return
    if (reply.ok) {
      this.#commit = undefined
      this.#options.groups.room?.committed(pending.effect)
      return this.#enter(Group.enter(pending), reply.seq, { seq: reply.seq, message })
    }
    const error = refusal(reply)
    if (isTransient(error)) throw error
    this.#discardCommit()
    if (reply.code !== 'epoch-mismatch') {
      this.#host.problem(error)
      // A place cannot be taken again; whoever has it without a connection is removed. But what we
      // wait with goes on waiting, and has this leaf.
      if (this.#retakes || this.#place.bundle === undefined) this.#giveUpPlace()
      if (this.#retakes) this.#lost = undefined
      this.#attempts = attempts
    }
    this.#commitLater(groupId, this.#pause)
  }

  /** Others have let in a leaf that nobody should have; the group is not to be entered. */
  #refuse(entry: ExternalEntry, error: unknown): never {
    if (this.#commit === entry) this.#discardCommit()
    throw error
  }

  /** How many are connected; undefined where the group is gone. */
  async #presentIn(groupId: Bytes, head: number): Promise<number | undefined> {
    const reply = await this.#options.link.request('resume', { groupId, after: head })
    if (reply.ok) return reply.present.length
    const error = refusal(reply)
    if (isTransient(error)) throw error
    return undefined
  }

  async #enter(group: Group, seq: number, entry?: LogEntry): Promise<void> {
    const own = this.#closed ? undefined : await this.#leaf()
    if (this.#closed || own === undefined) {
      this.#dropLeaf()
      return group.close()
    }
    this.#lost = undefined
    this.#own = undefined
    this.#forget()
    await this.#host.began(group, seq, own, entry)
  }

  async #leaf(): Promise<MeetingLeaf> {
    this.#own ??= await this.#options.newLeaf()
    return this.#own
  }

  #dropLeaf(): void {
    this.#own?.signatureKey.wipe()
    this.#own = undefined
  }

  #discardCommit(): void {
    this.#commit?.pending.discard()
    this.#commit = undefined
  }

  #forget(): void {
    this.#timer.cancel()
    this.#waitingFor = undefined
    this.#attempts = 0
    this.#lateWelcomes = 0
    this.#discardCommit()
    this.#invited?.close()
    this.#place.forget()
  }
}
