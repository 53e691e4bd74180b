import { ConclaveError } from '@conclave/core'

export type MeetingServerErrorCode =
  /** A flag or variable has a value that cannot be used. */
  | 'configuration-invalid'
  /** Something else listens on the port. */
  | 'port-in-use'
  /** The address cannot be listened on. */
  | 'listen-failed'
  /** The page has not been built. */
  | 'page-missing'

/** Why the demo's server could not start. */
export class MeetingServerError extends ConclaveError<MeetingServerErrorCode> {
  override readonly name = 'MeetingServerError'
}
