import type { TestContext } from 'vitest'

/*
 * Property tests that `npm run test:long` repeats far more often than `npm test`, as campaigns. It
 * names its number of runs and its seed in the environment, and keeps the figures that tests report.
 */

declare module 'vitest' {
  interface TaskMeta {
    figures?: Figures
  }
}

/** What a test saw, for the record. */
export type Figures = Readonly<Record<string, number | string>>

/** How often a property is tried: by a campaign as often as it says, else as often as given. */
export function runsOr(ordinary: number): number {
  return numberIn('CONCLAVE_RUNS') ?? ordinary
}

/** What chance starts from: the campaign's seed; otherwise each run tries the same. */
export const seed: number = numberIn('CONCLAVE_SEED') ?? 20_261_121

/** Reports what a test saw to the campaign that runs it. */
export function report({ task }: TestContext, figures: Figures): void {
  task.meta.figures = figures
}

function numberIn(variable: string): number | undefined {
  const text = process.env[variable]
  return text === undefined ? undefined : Number(text)
}
