/**
 * The base of every error that Conclave raises.
 *
 * `code` is stable across versions and is what callers and tests compare; `message` is for people
 * and may change. `remedy` says what whoever sees the error can do about it, where something can
 * be done.
 */
export class ConclaveError<Code extends string = string> extends Error {
  override readonly name: string = 'ConclaveError'
  readonly code: Code
  readonly remedy: string | undefined

  constructor(code: Code, message: string, options: { cause?: unknown; remedy?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.remedy = options.remedy
  }
}
