import type { PublicCrypto } from '@conclave/core/crypto/public'
import type { GroupPolicy } from '@conclave/core/mls/public'
import type { Store } from '../store/store.ts'

/** What a group's log depends on. */
export interface GroupLogOptions {
  readonly store: Store
  readonly crypto: PublicCrypto
  readonly policy: GroupPolicy
  readonly now: () => number
  /** How long a leaf may be without a connection, in milliseconds. */
  readonly graceMs: number
  /** How long a meeting may last, in milliseconds. */
  readonly meetingMs: number
  /** Commits of one leaf in ten seconds. */
  readonly commitsPerLeaf: number
}
