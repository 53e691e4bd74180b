import type { Bytes } from '@conclave/core/codec'

/** A member of a meeting's group, as the public group and the presence show it. */
export interface RosterEntry {
  readonly leaf: number
  readonly identity: string
  readonly deviceKey: Bytes
  readonly connected: boolean
  /** Whether its removal is on the log. */
  readonly beingRemoved: boolean
}

export interface MeetingView {
  readonly meetingId: string
  readonly groupId: Bytes
  readonly epoch: number
  /** The newest entry's sequence number. */
  readonly head: number
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number
  readonly waiting: number
  readonly roster: readonly RosterEntry[]
}

/** A log entry as anybody can read it; nothing of it is secret. */
export interface LogLine {
  readonly seq: number
  readonly kind: 'proposal' | 'commit' | 'void'
  readonly epoch: number
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  /** Bytes of the message. */
  readonly bytes: number
  /** `leaf 3`, `keyserver`, `newcomer`. */
  readonly sender: string
  /** What it proposes, or what a commit holds: names of RFC 9420 §12.1, `remove 3`. */
  readonly contents: readonly string[]
}

/** What the app's backend and the operator may ask about meetings, and do to them. */
export interface Administration {
  listMeetings(
    cursor: string | null,
    limit: number,
  ): Promise<{ readonly meetingIds: readonly string[]; readonly cursor: string | null }>
  meeting(meetingId: string): Promise<MeetingView | undefined>
  /** At most 256 lines after `after`; undefined where there is no group or the log starts later. */
  log(
    meetingId: string,
    after: number,
  ): Promise<{ readonly lines: readonly LogLine[]; readonly head: number } | undefined>
  /** Ends the meeting and deletes all that is stored for it; false where it has no group. */
  end(meetingId: string): Promise<boolean>
  /**
   * Proposes to remove a leaf, or all leaves of an identity, until it is done.
   * @returns the leaves, or undefined where the meeting has no group
   */
  remove(
    meetingId: string,
    who: { readonly leaf: number } | { readonly identity: string },
  ): Promise<readonly number[] | undefined>
}
