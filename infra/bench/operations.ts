import type { World } from './world.ts'

/**
 * What is measured. Every contestant is given the same bytes and hands back bytes: decoding and
 * encoding belong to the work.
 */
export const operations = [
  'join',
  'external.join',
  'update.create',
  'update.process',
  'add.create',
  'add.process',
  'add.path.create',
  'add.path.process',
  'remove.create',
  'remove.process',
  'bulk-add.create',
  'exporter',
  'protect',
  'unprotect',
] as const
export type Operation = (typeof operations)[number]

/** How one contestant does one operation. */
export interface Trial {
  /** Everything that is not measured. The function that it gives is measured, once. */
  prepare(): Promise<() => unknown>
  /** How often the measured function does the operation. */
  readonly repetitions?: number
  /** Throws unless the measured function's result shows that the work was done. */
  check(result: unknown): void
}

/** A contestant that has taken its places in the world's group. */
export interface Entrant {
  readonly trials: Partial<Record<Operation, Trial>>
  /** Bytes of what it sends and keeps, by the name that the report shows. */
  readonly sizes: Readonly<Record<string, number>>
  /** What it exports from the world's epoch, in hexadecimal form: everyone's is the same. */
  readonly exported?: string
  /** The state of a member that has just joined. */
  newState?(): Promise<unknown>
  /**
   * Whether two members still agree after a last commit that one makes and the other processes.
   * It ends the entrant.
   */
  agree?(): Promise<boolean>
}

export interface Contestant {
  readonly name: string
  enter(world: World): Promise<Entrant>
}

/** The names of the contestants that the others are compared with. */
export const subject = 'conclave'
export const floor = 'floor'
export const pooledFloor = 'floor, pooled'
