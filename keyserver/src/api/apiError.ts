import { ConclaveError } from '@conclave/core'
import { AccessError } from '@conclave/core/access'
import { StoreError } from '../store/storeError.ts'

export type ApiErrorCode =
  | 'request-malformed'
  | 'payload-too-large'
  | 'rate-limited'
  | 'not-found'
  /** The meeting has no group. */
  | 'meeting-unknown'
  /** The meeting's group has no such member. */
  | 'member-unknown'
  /** The log starts later than asked for, or ends before. */
  | 'seq-out-of-range'
  | 'dead-letter-unknown'
  /** The server only checks tokens: it has no secret to mint them with. */
  | 'token-issuing-unavailable'

export class ApiError extends ConclaveError<ApiErrorCode> {
  override readonly name = 'ApiError'
}

/** What the API answers instead. */
export interface ErrorAnswer {
  readonly status: 400 | 401 | 403 | 404 | 413 | 429 | 500 | 501 | 503
  readonly body: { readonly code: string; readonly message: string; readonly remedy?: string }
}

const statuses: Readonly<Record<ApiErrorCode, ErrorAnswer['status']>> = {
  'request-malformed': 400,
  'payload-too-large': 413,
  'rate-limited': 429,
  'not-found': 404,
  'meeting-unknown': 404,
  'member-unknown': 404,
  'seq-out-of-range': 404,
  'dead-letter-unknown': 404,
  'token-issuing-unavailable': 501,
}

/** Undefined for what nobody expects: a bug, of which a client learns nothing. */
export function errorAnswer(error: unknown): ErrorAnswer | undefined {
  if (error instanceof ApiError) return answer(statuses[error.code], error)
  if (error instanceof AccessError) return answer(accessStatus(error), error)
  if (error instanceof StoreError) return answer(503, error)
  return undefined
}

export const unexpected: ErrorAnswer = {
  status: 500,
  body: { code: 'internal', message: 'the keyserver failed' },
}

function answer(status: ErrorAnswer['status'], error: ConclaveError): ErrorAnswer {
  const { code, message, remedy } = error
  return { status, body: { code, message, ...(remedy !== undefined && { remedy }) } }
}

function accessStatus({ code }: AccessError): 401 | 403 | 503 {
  // The token is good, but not for this.
  if (code === 'token-grant-missing' || code === 'token-wrong-meeting') return 403
  return code === 'access-keys-unavailable' ? 503 : 401
}
