import type { KeyserverOptions } from '@conclave/keyserver'
import type { Fault } from './relay.ts'

/** A keyserver that is wrong in one way, and which of the checks that look there must say so. */
export interface PlantedFault {
  readonly name: string
  /** Every run has a fault of its own: some remember. */
  readonly plant: (tokens: { readonly forEveryMeeting: string }) => Fault
  /** What the keyserver behind it is told otherwise. */
  readonly options?: Partial<KeyserverOptions>
  /** The checks that are run, as `--only` names them. */
  readonly looking: readonly string[]
  /** Those of them that fail; the others pass. */
  readonly fail: readonly string[]
}
