import { ConclaveError } from '@conclave/core'
import type { Refusal, RefusalCode } from '@conclave/core/delivery'
import { MeetingError } from '@conclave/core/meeting'

export type SessionErrorCode =
  /** The keyserver cannot be reached, or did not answer in time. */
  | 'keyserver-unreachable'
  /** The keyserver refused; `detail` has its code. */
  | 'keyserver-refused'
  /** What the keyserver said cannot be understood. */
  | 'keyserver-protocol-violated'
  /** The caller gave a value that cannot be used. */
  | 'argument-invalid'
  /** The crypto provider lacks what meetings need, or the platform has no locks for tabs. */
  | 'platform-unsupported'
  /** Nobody added us in time. */
  | 'join-timeout'
  /** The keyserver has ended the meeting's group. */
  | 'meeting-closed'
  /**
   * The log holds a commit that does not apply to our state, or has been trimmed beyond it: the
   * session enters the group anew.
   */
  | 'log-inapplicable'
  /** We were out of touch for longer than the keyserver's grace period: the session enters anew. */
  | 'removed-while-away'
  /**
   * The keyserver's log has no continuation of what we have seen. As a problem with the detail
   * `recovering`: other members may still give it what it has lost.
   */
  | 'log-rolled-back'
  /** The session is over: it was left, or ended by an event that the application has got. */
  | 'session-ended'
  /** The directory has no KeyPackage of any device of whom is to be invited, or none of use. */
  | 'invitee-unknown'
  /** No such participant in the current roster. */
  | 'participant-unknown'
  /** What was scanned is no safety code of a meeting, or one of another version. */
  | 'safety-code-invalid'
  /** A message could not be passed on in time, or it is not known whether it was. */
  | 'message-unsent'
  /** A member's message is none that meetings know. */
  | 'message-unreadable'
  /** Nobody has called us into such a breakout room. */
  | 'room-unknown'
  /** The meeting cannot go on in another group: of these members nobody has heard anything. */
  | 'members-silent'
  /** The meeting cannot go on with another cipher suite, which these members cannot do. */
  | 'suite-unsupported'
  /** Others in a breakout room are in an epoch of its meeting that we have not seen yet. */
  | 'parent-behind'
  /** The session store does not hold what it was given. */
  | 'store-corrupted'
  /** The session store cannot be opened or used, or has no room left. */
  | 'store-unavailable'
  /** As many tabs of this device as there may be are in the meeting. */
  | 'slots-taken'

export class SessionError extends ConclaveError<SessionErrorCode> {
  override readonly name = 'SessionError'
  /** The keyserver's refusal code, or the code of the rule behind it. */
  readonly detail: string | undefined
  /** The keyserver's refusal code, also where a rule behind it is the detail. */
  readonly refusal: RefusalCode | undefined

  constructor(
    code: SessionErrorCode,
    message: string,
    options: { cause?: unknown; remedy?: string; detail?: string; refusal?: RefusalCode } = {},
  ) {
    super(code, message, options)
    this.detail = options.detail
    this.refusal = options.refusal
  }
}

/** A refusal of the keyserver's as an error for the application. */
export function refusal({ code, message, detail }: Refusal): SessionError {
  return new SessionError('keyserver-refused', message, { detail: detail ?? code, refusal: code })
}

const transientCodes: ReadonlySet<RefusalCode | undefined> = new Set([
  'rate-limited',
  'internal',
  'unavailable',
  'waiting-list-full',
  'not-entered',
])

/** The detail of `log-rolled-back` while members may still give back what was lost. */
export const recoveringDetail = 'recovering'

/**
 * Whether trying again later may help: the keyserver refused for now only, or is to be made whole, or
 * a breakout room and its meeting are to come to one state.
 */
export function isTransient(error: ConclaveError): boolean {
  // Whoever is not in the parent any more is about to be removed from the room.
  if (error instanceof MeetingError) return error.code === 'room-member-unknown'
  if (!(error instanceof SessionError)) return false
  if (error.code === 'parent-behind') return true
  return error.code === 'log-rolled-back'
    ? error.detail === recoveringDetail
    : error.code === 'keyserver-refused' && transientCodes.has(error.refusal)
}

/** Whether the group is over, or the keyserver has lost it; another one may continue it. */
export function isGroupOver(error: unknown): boolean {
  if (!(error instanceof SessionError)) return false
  return error.refusal === 'group-continued' || error.refusal === 'group-unknown'
}

/** Whether the connection is gone; what was asked for goes on over the next. */
export function isUnreachable(error: ConclaveError): boolean {
  return error instanceof SessionError && error.code === 'keyserver-unreachable'
}
