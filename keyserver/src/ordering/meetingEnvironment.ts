import type { Clock } from '@conclave/core'
import type { PublicCrypto } from '@conclave/core/crypto/public'
import type { Logger } from 'pino'
import type { Jobs } from '../jobs/jobs.ts'
import type { KeyserverLimits } from '../limits.ts'
import type { KeyserverObserver } from '../observer.ts'
import type { RemovalSigner } from '../removalSigner.ts'
import type { Store } from '../store/store.ts'
import type { Audience } from './audience.ts'

/** What every meeting of a keyserver depends on. */
export interface MeetingEnvironment {
  readonly store: Store
  readonly crypto: PublicCrypto
  readonly removalSigner: RemovalSigner
  readonly clock: Clock
  readonly audience: Audience
  readonly jobs: Jobs
  readonly observer: KeyserverObserver
  /** Names this instance among those of the store. */
  readonly instance: string
  readonly limits: KeyserverLimits
  /** How long a leaf may be without a connection, in milliseconds. */
  readonly graceMs: number
  /** How long a leaf may be without a path of its own, in milliseconds. */
  readonly idleMs: number
  /** How long a meeting may last, in milliseconds. */
  readonly meetingMs: number
  readonly logger: Logger
}
