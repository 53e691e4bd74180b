import type { PlantedFault } from './plantedFaults.ts'

/** How the process is started. */
export interface HostingOrders {
  readonly redisUrl?: string
  readonly fault?: PlantedFault
}

/** Limits that an attack reaches. */
export const attackedLimits = {
  connectionsPerAddress: 32,
  connectionsPerIdentity: 48,
  connectionsPerMeeting: 64,
  commitsPerLeaf: 200,
  unsentBytes: 1 << 20,
} as const

/**
 * What is asked of the process: how it is now, after collecting garbage, or also how many objects
 * are alive, for which it stands still a while.
 */
export type Question = 'now' | 'collected' | 'counted'

/** What the process says of itself when asked. */
export interface Measured {
  readonly rss: number
  readonly used: number
  readonly longestDelayMs: number
  readonly health: { readonly connections: number; readonly meetings: number }
  /** Objects that are alive, by their class, where they have been counted. */
  readonly alive: Readonly<Record<string, number>>
}
