import type { Clock } from '@conclave/core'
import type { PublicCrypto } from '@conclave/core/crypto/public'
import type { Logger } from 'pino'
import type { KeyserverLimits } from '../limits.ts'
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
  readonly limits: KeyserverLimits
  /** How long a leaf may be without a connection, in milliseconds. */
  readonly graceMs: number
  readonly logger: Logger
}
