import { ConclaveError } from '@conclave/core'

export type ConformanceErrorCode =
  | 'conformance-arguments-wrong'
  /** No token could be had for the keyserver. */
  | 'conformance-token-refused'

export class ConformanceError extends ConclaveError<ConformanceErrorCode> {
  override readonly name = 'ConformanceError'
}
