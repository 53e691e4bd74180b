import { ConclaveError } from '@conclave/core'

export type PageErrorCode =
  /** The browser or the user did not allow it. */
  | 'device-denied'
  /** There is no such device. */
  | 'device-missing'
  /** Another program has it, or it failed. */
  | 'device-busy'
  /** It was unplugged. */
  | 'device-lost'
  /** Pages get no camera here: not a secure context. */
  | 'context-insecure'
  /** No token in the page's address, and the server mints none. */
  | 'token-required'
  /** The server that should mint a token did not answer. */
  | 'token-unavailable'
  /** The others have removed us. */
  | 'removed'
  /** Something that no part of Conclave has a name for. */
  | 'unexpected'

/** What goes wrong in the page itself; meeting, call and media have errors of their own. */
export class PageError extends ConclaveError<PageErrorCode> {
  override readonly name = 'PageError'
}

/** Whatever was thrown, as something that can be shown. */
export function shown(error: unknown): ConclaveError {
  if (error instanceof ConclaveError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new PageError('unexpected', message, { cause: error })
}
