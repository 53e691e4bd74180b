export type SimErrorCode =
  /** The command line asks for something that there is not. */
  'sim-arguments-wrong'

/** Why there is no result. */
export class SimError extends Error {
  override readonly name = 'SimError'
  readonly code: SimErrorCode

  constructor(code: SimErrorCode, message: string) {
    super(message)
    this.code = code
  }
}
