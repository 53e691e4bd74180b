import type { ConclaveError } from '@conclave/core'
import { recoveringDetail, SessionError } from './sessionError.ts'

export function notInMeeting(): SessionError {
  return new SessionError('session-ended', 'we are not in the meeting')
}

export function closedByKeyserver(): SessionError {
  return new SessionError('meeting-closed', 'the keyserver ended the meeting')
}

export function violated(what: string): SessionError {
  return new SessionError('keyserver-protocol-violated', what)
}

/** Others may have what the log lacks. */
export function recovering(): SessionError {
  return new SessionError('log-rolled-back', 'the log has lost what we have seen of it', {
    detail: recoveringDetail,
  })
}

export function rolledBack(cause?: ConclaveError): SessionError {
  return new SessionError('log-rolled-back', 'the log does not go on from where we are', {
    remedy: 'Join the meeting again.',
    cause,
  })
}

export function absentForTooLong(): SessionError {
  return new SessionError('removed-while-away', 'we have been away for too long and were removed')
}

/** The meeting has gone on in another group, and no Welcome there is of use to us. */
export function missedContinuation(): SessionError {
  return new SessionError('log-inapplicable', 'the meeting has gone on in another group', {
    detail: 'group-continued',
  })
}

export function windowMissed(): SessionError {
  return new SessionError('log-inapplicable', 'the log has been trimmed beyond where we are', {
    detail: 'window-missed',
  })
}

export function inapplicable(cause: ConclaveError): SessionError {
  return new SessionError('log-inapplicable', 'an entry of the log does not apply', {
    cause,
    detail: (cause instanceof SessionError ? cause.detail : undefined) ?? cause.code,
  })
}
