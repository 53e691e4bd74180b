import { maxPageBytes } from '@conclave/core/delivery'
import type { Claimer, DirectoryLimits } from './directory.ts'

/** What one identity may use of the directory. */
export interface DirectoryServiceLimits extends DirectoryLimits {
  /** Claims of one person's KeyPackages by the same other. */
  readonly claims: Claimer['rate']
  /** Requests of one identity, whose every KeyPackage takes three signature checks. */
  readonly publishesPerMinute: number
}

export const defaultDirectoryLimits: DirectoryServiceLimits = {
  keyPackagesPerDevice: 100,
  keyPackagesPerIdentity: 10_000,
  devicesPerIdentity: 10,
  mailPerDevice: 64,
  // So that a mailbox fits into one answer.
  mailBytesPerDevice: maxPageBytes,
  claims: { claims: 10, perMs: 60_000 },
  publishesPerMinute: 20,
}

/** How long a Welcome waits for its device, in milliseconds. */
export const mailMs = 30 * 24 * 60 * 60_000
/** Of KeyPackages that are left, below which their owner is told. */
export const lowStock = 5

/** Seconds from now until which a published KeyPackage may be good at most: 90 days. */
export const longestLifetime = 90n * 24n * 60n * 60n
/** And at least. */
export const shortestLifetime = 60n * 60n
