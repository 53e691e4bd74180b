/** An invariant that does not hold: a bug of what is simulated, or of the simulator. */
export class Violation extends Error {
  override readonly name = 'Violation'
  /** The check's name: two runs that break the same one are said to fail alike. */
  readonly check: string

  constructor(check: string, detail: string) {
    super(detail)
    this.check = check
  }
}
