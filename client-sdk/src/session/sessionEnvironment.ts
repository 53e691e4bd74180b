import type { Clock, RandomBytes } from '@conclave/core'
import type { SecretCrypto } from '@conclave/core/crypto/secret'
import type { SessionStore } from './store.ts'

export interface SessionEnvironment {
  readonly clock: Clock
  readonly random: RandomBytes
  readonly crypto: SecretCrypto
  readonly store: SessionStore
}
