import type { Store } from '@conclave/keyserver'
import type { Seams } from './people/life.ts'

/** A bug that is put in at a seam, to see that a run finds it. */
export interface Plant {
  readonly name: string
  /** Between the keyserver's instances and their store. */
  readonly store?: (store: Store) => Store
  /** Between a client and what it is given. */
  readonly seams?: Seams
  /** Changes a class for the time of a run; what it returns undoes that. */
  readonly install?: () => () => void
}

export const nothingPlanted: Plant = { name: 'nothing' }
