import { ConclaveError } from '@conclave/core'

export type SfuErrorCode =
  | 'announced-address-required'
  | 'config-invalid'
  | 'worker-failed'
  | 'sfu-closed'

/** Why the SFU could not start or was misused by whoever runs it. */
export class SfuError extends ConclaveError<SfuErrorCode> {
  override readonly name = 'SfuError'
}
