import type { Clock, ConclaveError, RandomBytes } from '@conclave/core'
import { equalBytes, fromUtf8, utf8 } from '@conclave/core/codec'
import {
  calledHash,
  describedRoomId,
  maxCalled,
  parentMeetingOf,
  type RoomDescription,
} from '@conclave/core/meeting'
import type { Group } from '@conclave/core/mls/group'
import { notInMeeting } from '../session/participationErrors.ts'
import { SessionError } from '../session/sessionError.ts'
import { type KnownRoom, KnownRooms, type KnownRoomsOptions } from './knownRooms.ts'
import { RoomBond } from './roomBond.ts'

const maxNameBytes = 256
/** What a room's meeting id has more than its parent's, in bytes. */
const idSuffixBytes = 38
const maxMeetingIdBytes = 256

/** What of a room's own meeting its parent deals with. */
export interface RoomMeeting {
  readonly self: { readonly leaf: number }
  readonly view: {
    readonly members: readonly { readonly leaf: number; readonly identity: string }[]
  }
  leave(): Promise<void>
}

export interface RoomsOptions<Meeting extends RoomMeeting>
  extends Pick<KnownRoomsOptions, 'store'> {
  readonly meetingId: string
  readonly clock: Clock
  readonly random: RandomBytes
  /** Our group of the meeting; undefined while we are in none. */
  readonly group: () => Group | undefined
  readonly ownIdentity: string
  /** Tells the meeting of a room, end-to-end encrypted. */
  readonly announce: (description: RoomDescription) => Promise<unknown>
  /** Enters a room's own meeting. */
  readonly enter: (bond: RoomBond) => Promise<Meeting>
  readonly problem: (error: ConclaveError) => void
}

interface OpenRoom<Meeting> {
  readonly bond: RoomBond
  /** Undefined while we are on the way in. */
  meeting: Meeting | undefined
}

/** The breakout rooms of one meeting, as far as we were called into them. */
export class Rooms<Meeting extends RoomMeeting> {
  readonly #options: RoomsOptions<Meeting>
  readonly #known: KnownRooms
  readonly #open = new Map<string, OpenRoom<Meeting>>()
  #connected = true
  #over: ConclaveError | undefined

  constructor(options: RoomsOptions<Meeting>) {
    this.#options = options
    const { store, problem } = options
    this.#known = new KnownRooms({ store, problem, idOf: (room) => this.#idOf(room) })
  }

  /** @throws SessionError `store-…`, `session-ended` */
  known(): Promise<readonly KnownRoom[]> {
    return this.#known.list()
  }

  /**
   * Opens a room for us and for these people, enters it, and tells the meeting of it.
   * @throws SessionError `argument-invalid`, `session-ended`, what joining throws
   */
  async open(name: string, identities: readonly string[]): Promise<Meeting> {
    const { meetingId, random, ownIdentity, announce } = this.#options
    const group = this.#groupOrThrow()
    const encoded = utf8(name)
    if (encoded.length === 0 || encoded.length > maxNameBytes || fromUtf8(encoded) !== name) {
      throw invalid(`a room's name has 1 to ${maxNameBytes} bytes of UTF-8`)
    }
    const called = [...new Set([ownIdentity, ...identities])]
    if (called.length > maxCalled) throw invalid(`a room is opened for at most ${maxCalled} people`)
    if (parentMeetingOf(meetingId) !== undefined) throw invalid('a room has no rooms')
    if (utf8(meetingId).length + idSuffixBytes > maxMeetingIdBytes) {
      throw invalid(
        `meetings with an id of over ${maxMeetingIdBytes - idSuffixBytes} bytes have none`,
      )
    }
    const { crypto } = group.public
    const description: RoomDescription = {
      parentGroupId: group.groupId,
      nonce: random(16),
      name: encoded,
      called: called.map((identity) => calledHash(crypto, utf8(identity))),
    }
    const id = describedRoomId(crypto, meetingId, description)
    this.#known.remember(id, description)
    const meeting = await this.enter(id)
    try {
      await announce(description)
    } catch (error) {
      await meeting.leave()
      throw error
    }
    return meeting
  }

  /**
   * Enters a room that we were called into.
   * @throws SessionError `room-unknown`, `argument-invalid` where we are in it, `session-ended`,
   *   `store-…`, and what joining throws
   */
  async enter(id: string): Promise<Meeting> {
    this.#groupOrThrow()
    const { meetingId, clock, random } = this.#options
    const description = await this.#known.get(id)
    const parent = this.#groupOrThrow()
    if (description === undefined) {
      throw new SessionError('room-unknown', 'nobody has called us into a room of this id')
    }
    if (this.#open.has(id)) throw invalid('we are in this room, or on the way in')
    const bond = new RoomBond({
      parentMeetingId: meetingId,
      description,
      parent,
      clock,
      random,
      onClose: () => this.#open.delete(id),
    })
    bond.inTouch = this.#connected
    const room: OpenRoom<Meeting> = { bond, meeting: undefined }
    this.#open.set(id, room)
    try {
      room.meeting = await this.#options.enter(bond)
      if (this.#over === undefined) return room.meeting
      await bond.parentEnded(this.#over)
      throw this.#over
    } catch (error) {
      bond.close()
      throw error
    }
  }

  /** A member tells of a room: what the application has to know, the first time. */
  announced(description: RoomDescription): KnownRoom | undefined {
    const id = this.#idOf(description)
    const name = fromUtf8(description.name)
    if (id === undefined || name === undefined || this.#known.has(id)) return
    this.#known.remember(id, description)
    return { id, name }
  }

  /** Whether the keyserver can tell us how the meeting goes on. */
  parentConnectionChanged(connected: boolean): void {
    this.#connected = connected
    for (const { bond } of this.#open.values()) bond.inTouch = connected
  }

  /** An epoch of the meeting has begun in which these are new. */
  parentEpochBegan(parent: Group, joined: readonly string[]): void {
    for (const { bond } of this.#open.values()) bond.parentEpochBegan(parent)
    for (const { bond, meeting } of this.#open.values()) {
      if (meeting === undefined) continue
      const { members } = meeting.view
      const isCalled = (identity: string) =>
        bond.calls(identity) && !members.some((member) => member.identity === identity)
      // One of those who are there is enough.
      if (members[0]?.leaf !== meeting.self.leaf || !joined.some(isCalled)) continue
      this.#options.announce(bond.description).catch(this.#options.problem)
    }
  }

  /** Leaves every room: we have left the meeting, or it is over. */
  async close(why: ConclaveError): Promise<void> {
    this.#over ??= why
    await this.leaveAll(why)
  }

  /** Leaves every room: they belong to a group that the meeting has no longer. */
  async leaveAll(why: ConclaveError): Promise<void> {
    await Promise.all(Array.from(this.#open.values(), ({ bond }) => bond.parentEnded(why)))
  }

  #groupOrThrow(): Group {
    const group = this.#options.group()
    if (this.#over !== undefined) throw this.#over
    if (group !== undefined) return group
    throw notInMeeting()
  }

  /** The id of a room of our group that we are called into; undefined for any other. */
  #idOf(description: RoomDescription): string | undefined {
    const { meetingId, group, ownIdentity } = this.#options
    const parent = group()
    if (parent === undefined || !equalBytes(description.parentGroupId, parent.groupId)) return
    const { crypto } = parent.public
    const own = calledHash(crypto, utf8(ownIdentity))
    if (!description.called.some((called) => equalBytes(called, own))) return
    return describedRoomId(crypto, meetingId, description)
  }
}

function invalid(message: string): SessionError {
  return new SessionError('argument-invalid', message)
}
