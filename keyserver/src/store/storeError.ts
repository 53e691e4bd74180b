import { ConclaveError } from '@conclave/core'

export type StoreErrorCode =
  /** It does not answer; whether the step was taken is unknown. */
  | 'store-unreachable'
  /** It could lose what has been acknowledged, and nobody allowed that. */
  | 'store-not-durable'
  /** What is stored is not what this version stores. */
  | 'store-corrupted'

export class StoreError extends ConclaveError<StoreErrorCode> {
  override readonly name = 'StoreError'
}
