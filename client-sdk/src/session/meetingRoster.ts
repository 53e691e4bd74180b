import type { Clock } from '@conclave/core'
import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { PublicSuite } from '@conclave/core/crypto/public'
import type { Group } from '@conclave/core/mls/group'
import type { Agreed } from './continuation.ts'
import { pairFingerprint } from './fingerprint.ts'
import { History, type HistoryEntry, type HistoryEvent } from './history.ts'
import type { MeetingEffect } from './meetingEffect.ts'
import { movedLeaves } from './movedLeaves.ts'
import { isSameDevice, type NamedDevice, type Participant, Roster } from './roster.ts'
import {
  continuedChange,
  type Departure,
  noChange,
  type RosterChange,
  rosterChange,
} from './rosterChange.ts'
import { type SafetyCode, safetyCodeOf } from './safetyCode.ts'
import { SessionError } from './sessionError.ts'
import type { EndReason } from './sessionEvents.ts'
import type { SessionStore } from './store.ts'
import { Verifications } from './verifications.ts'

export interface MeetingRosterOptions {
  readonly meetingId: string
  readonly crypto: Pick<PublicSuite, 'hash'>
  readonly clock: Pick<Clock, 'now'>
  readonly store: SessionStore
}

/** What an epoch changed for an application that watches who is in the meeting. */
export interface MeetingChange extends RosterChange {
  /** Who has come with another device than the one that was verified. */
  readonly suspects: readonly Participant[]
  /** Where the meeting has another group now: whose leaf in the old one is which in the new one. */
  readonly leaves?: ReadonlyMap<number, number> | undefined
}

export interface ContinuedMeeting extends MeetingChange {
  readonly leaves: ReadonlyMap<number, number>
  /** Who has proposed it, as they were in the old group. */
  readonly by: Participant | undefined
}

/** Who is in the meeting in the current epoch, what became of the others, and who is verified. */
export class MeetingRoster {
  readonly #options: MeetingRosterOptions
  readonly #history: History
  readonly #verifications: Verifications
  #roster = Roster.empty
  #safetyCode: SafetyCode | undefined
  #groupId: Bytes | undefined

  constructor(options: MeetingRosterOptions) {
    this.#options = options
    this.#history = new History(options.clock)
    this.#verifications = new Verifications(options.store, options.crypto)
  }

  /** The roster of the current epoch, and of the last one once the meeting has ended. */
  get current(): Roster {
    return this.#roster
  }

  /** Undefined until the first epoch. */
  get safetyCode(): SafetyCode | undefined {
    return this.#safetyCode
  }

  get history(): readonly HistoryEntry[] {
    return this.#history.entries
  }

  /**
   * Learns which devices are verified; to be waited for before the first epoch.
   * @throws SessionError `store-corrupted`, `store-unavailable`
   */
  load(): Promise<void> {
    return this.#verifications.load()
  }

  /** @param effect missing for the epoch that we have entered in */
  epochBegan(group: Group, effect: MeetingEffect | undefined): MeetingChange {
    const { epoch, leafIndex } = group
    const { standingOf } = this.#verifications
    const before = this.#roster
    const first = this.#safetyCode === undefined
    const after =
      effect === undefined
        ? Roster.of(group.members, leafIndex, standingOf)
        : before.after(effect, standingOf)
    this.#roster = after
    this.#safetyCode = safetyCodeOf(group, this.#options.meetingId)
    const isSame = this.#groupId === undefined || equalBytes(this.#groupId, group.groupId)
    const leaves = isSame ? undefined : movedLeaves(before, after)
    this.#groupId = group.groupId
    const change = first ? noChange : changed(before, after, epoch, effect, leaves)
    const came = first ? after.participants : change.joined.map(({ participant }) => participant)
    const suspects = came.filter((each) => each.deviceChanged && each !== change.returned)
    if (first) this.#note((who) => ({ what: 'entered', who, others: others(after) }))
    else if (effect === undefined) this.#note((who) => ({ what: 'returned', who }))
    this.#noteChange(change)
    for (const who of suspects) this.#history.add(epoch, { what: 'device-changed', who })
    return { ...change, suspects, leaves }
  }

  /** The meeting goes on in a group that continues the one in which we were. */
  continued(group: Group, { cipherSuite, proposedBy }: Agreed): ContinuedMeeting {
    const { epoch, leafIndex } = group
    const before = this.#roster
    const by = proposedBy === undefined ? undefined : before.at(proposedBy)
    const after = Roster.of(group.members, leafIndex, this.#verifications.standingOf)
    const leaves = movedLeaves(before, after)
    this.#roster = after
    this.#groupId = group.groupId
    this.#safetyCode = safetyCodeOf(group, this.#options.meetingId)
    this.#note((who) => ({ what: 'reinitialised', who, by, cipherSuite }))
    const change = continuedChange(before, after, epoch, leaves)
    this.#noteChange(change)
    const came = change.joined.map(({ participant }) => participant)
    const suspects = came.filter(({ deviceChanged }) => deviceChanged)
    for (const who of suspects) this.#history.add(epoch, { what: 'device-changed', who })
    return { ...change, suspects, leaves, by }
  }

  lostPlace(): void {
    this.#note((who) => ({ what: 'lost-place', who }))
  }

  /**
   * Tells how we were removed, if we were.
   * @param removal the commit that removed us
   */
  ended(reason: EndReason, removal: MeetingEffect | undefined): Departure | undefined {
    const departure = removal && this.#ownDeparture(removal)
    this.#note((who) => ({ what: 'ended', who, reason, departure }))
    return departure
  }

  /** @throws SessionError `argument-invalid` where it is one of our own device */
  fingerprintWith(participant: NamedDevice): string {
    return pairFingerprint(this.#options.crypto, this.#peerOf(participant), participant)
  }

  /**
   * Remembers, or forgets, that the user has verified a device, and tells whose standing that has
   * changed.
   * @throws SessionError `participant-unknown`, `argument-invalid`, `store-unavailable`
   */
  async judge(participant: Participant, verified: boolean): Promise<readonly Participant[]> {
    const own = this.#peerOf(participant)
    const present = this.#roster.at(participant.leaf)
    if (present === undefined || !isSameDevice(present, participant)) {
      throw participantUnknown(participant.leaf)
    }
    if (verified) await this.#verifications.add(own, participant)
    else await this.#verifications.remove(own, participant)
    // Epochs may have gone by meanwhile.
    const before = this.#roster
    const after = before.withStandings(this.#verifications.standingOf)
    this.#roster = after
    const what = verified ? 'verified' : 'unverified'
    this.#note((by) => ({ what, who: after.at(participant.leaf) ?? present, by }))
    return after.participants.filter(({ leaf, verified, deviceChanged }) => {
      const old = before.at(leaf)
      return old?.verified !== verified || old.deviceChanged !== deviceChanged
    })
  }

  /** Ours, where the other is another device. */
  #peerOf(participant: NamedDevice): Participant {
    const own = this.#roster.self
    if (own === undefined || isSameDevice(own, participant)) {
      throw new SessionError('argument-invalid', 'one’s own device is compared with others alone')
    }
    return own
  }

  #ownDeparture(removal: MeetingEffect): Departure | undefined {
    const before = this.#roster
    const after = before.after(removal, this.#verifications.standingOf)
    const { left } = rosterChange(before, after, removal.context.epoch, removal)
    return left.find(({ participant }) => participant.self)?.departure
  }

  #noteChange({ joined, left, returned }: RosterChange): void {
    if (returned !== undefined) this.#note(() => ({ what: 'returned', who: returned }))
    for (const { participant: who, departure } of left) {
      // Whoever has returned has not left.
      if (who.self || departure.reason === 'replaced') continue
      this.#note(() => ({ what: 'left', who, departure }))
    }
    for (const { participant: who, arrival } of joined) {
      if (who.self || who === returned) continue
      this.#note(() => ({ what: 'joined', who, arrival }))
    }
  }

  /** Of a meeting that nobody was in nothing is told. */
  #note(eventOf: (self: Participant) => HistoryEvent): void {
    const { self } = this.#roster
    if (self === undefined || this.#safetyCode === undefined) return
    this.#history.add(this.#safetyCode.epoch, eventOf(self))
  }
}

function changed(
  before: Roster,
  after: Roster,
  epoch: bigint,
  effect: MeetingEffect | undefined,
  leaves: ReadonlyMap<number, number> | undefined,
): RosterChange {
  return leaves === undefined
    ? rosterChange(before, after, epoch, effect)
    : continuedChange(before, after, epoch, leaves)
}

export function participantUnknown(leaf: number): SessionError {
  return new SessionError('participant-unknown', `nobody of that kind is at leaf ${leaf}`)
}

function others(roster: Roster): readonly Participant[] {
  return roster.participants.filter(({ self }) => !self)
}
