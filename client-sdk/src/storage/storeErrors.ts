import { SessionError } from '../session/sessionError.ts'

export function storeCorrupted(what: string, cause?: unknown): SessionError {
  return new SessionError('store-corrupted', `the session store is damaged: ${what}`, {
    cause,
    remedy: 'Delete the session store; others will see a new, unverified device.',
  })
}

export function storeUnavailable(remedy: string, cause?: unknown): SessionError {
  return new SessionError('store-unavailable', 'the session store cannot be used', {
    cause,
    remedy,
  })
}
