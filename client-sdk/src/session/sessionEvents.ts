import type { ConclaveError } from '@conclave/core'
import type { Group } from '@conclave/core/mls/group'
import type { ChatHost } from './chat.ts'
import type { Agreed } from './continuation.ts'
import type { JoinProgress } from './entrance.ts'
import type { MeetingEffect } from './meetingEffect.ts'

export type EndReason =
  /** `leave` was called. */
  | 'left'
  /** A commit removed us. */
  | 'removed'
  /** The keyserver ended the group. */
  | 'closed'
  /** The session cannot go on; the error says why. */
  | 'failed'

/** What a session tells, in the order in which it happens. */
export interface SessionEvents extends Pick<ChatHost, 'received' | 'missed'> {
  /** We are in, or a commit has been confirmed; `effect` is missing for the epoch we entered in. */
  epochBegan(group: Group, effect: MeetingEffect | undefined): void
  /** The meeting goes on in a group that continues the one in which we were: everybody, with new keys. */
  continued(group: Group, agreed: Agreed): void
  connectionChanged(connected: boolean): void
  progress(progress: JoinProgress): void
  /** We cannot follow the group any more, and enter it anew. */
  lost(error: ConclaveError): void
  /** Something a peer or server did that was refused, and that the session survives. */
  problem(error: ConclaveError): void
  /** The last event, once; `removal` is the commit that removed us. */
  ended(
    reason: EndReason,
    error: ConclaveError | undefined,
    removal: MeetingEffect | undefined,
  ): void
}
