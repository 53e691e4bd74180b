export type BenchErrorCode =
  /** The command line names no benchmark, operation, contestant or number of members that there is. */
  | 'bench-arguments-wrong'
  /** A contestant did something else than what was to be measured. */
  | 'bench-work-not-done'
  /** Contestants in the same epoch of the same group derive different secrets. */
  | 'bench-contestants-disagree'
  /** A server that is measured, or Redis, cannot be started or has ended. */
  | 'bench-server-failed'
  /** Members of a meeting do not get to where they should be, in all the time that they were given. */
  | 'bench-members-stalled'
  /** Members in the same epoch of the same meeting have different media keys. */
  | 'bench-members-disagree'
  /** There is no Chromium to measure in. */
  | 'bench-chromium-missing'

/** Why there is no result. */
export class BenchError extends Error {
  override name = 'BenchError'
  readonly code: BenchErrorCode

  constructor(code: BenchErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

/** @throws BenchError `bench-work-not-done` */
export function expectDone(done: boolean, what: string): void {
  if (!done) throw new BenchError('bench-work-not-done', what)
}
