/**
 * What setting up or checking the repository can fail with.
 *
 * `code` is stable, `remedy` is what the reader can do about it.
 */
export class SetupError extends Error {
  /** @override */
  name = 'SetupError'

  /**
   * @param {string} code
   * @param {string} message
   * @param {{ remedy?: string, exitCode?: number, cause?: unknown }} [options]
   */
  constructor(code, message, { remedy, exitCode = 1, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.remedy = remedy
    this.exitCode = exitCode
  }
}

/**
 * Runs an entry script's `main` and ends the process with what it returns, or with the error's
 * exit code after saying what went wrong and what to do.
 *
 * @param {() => Promise<number>} main
 */
export async function runMain(main) {
  try {
    process.exitCode = await main()
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    console.error(`\n✗ ${error.code}: ${error.message}`)
    if (error.remedy !== undefined) console.error(`  → ${error.remedy}`)
    process.exitCode = error.exitCode
  }
}
