import type { Bytes } from '@conclave/core/codec'
import type { Packed, ServerNotices } from '@conclave/core/delivery'

/** A connection that has entered a meeting. */
export interface Participant {
  /** Unique among all connections. */
  readonly id: string
  /** The access token's. */
  readonly identity: string
  /** What this connection's `attach` signs. */
  readonly nonce: Bytes
}

/** Whoever notices are sent to. What is sent to one connection arrives in the order it was sent. */
export interface Audience {
  /** From now on the connection gets the `entry`, `waiting`, `present` and `message` notices of the meeting. */
  follow(meetingId: string, connection: string): void
  entry(meetingId: string, notice: ServerNotices['entry'], reach?: Reach): void
  /** @param whole the joiners with all their KeyPackages, for those of minor versions before 4 */
  waiting(
    meetingId: string,
    notice: Packed<ServerNotices['waiting']>,
    whole: Bytes,
    reach?: Reach,
  ): void
  present(meetingId: string, notice: ServerNotices['present'], reach?: Reach): void
  statusWanted(meetingId: string, notice: ServerNotices['statusWanted']): void
  offered(meetingId: string, notice: ServerNotices['offered']): void
  /** To all who follow the log but `from`, the connection that the message came from. */
  message(meetingId: string, notice: ServerNotices['message'], from: string): void
  /** To one connection. */
  welcome(connection: string, notice: ServerNotices['welcome']): void
  /**
   * To everybody who has entered the meeting and who then follows no log; those of an earlier minor
   * version have to enter again.
   */
  continued(meetingId: string, notice: ServerNotices['continued'], reach?: Reach): void
  /** To everybody who has entered the meeting, who then has to enter again. */
  closed(meetingId: string, notice: ServerNotices['closed'], reach?: Reach): void
}

/** `here`: the connections of this instance alone, not those of all. */
export interface Reach {
  readonly here?: boolean
}
