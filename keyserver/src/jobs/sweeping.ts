import type { JobOptions, Jobs } from './jobs.ts'

/**
 * Has the directory swept again and again. Instances mean the same moments, multiples of the
 * interval, so what all of them schedule runs once, and goes on as long as one of them lives.
 *
 * @returns what ends it
 */
export function keepSweeping(
  jobs: Pick<Jobs, 'schedule'>,
  { clock, logger, sweepEveryMs }: Pick<Required<JobOptions>, 'clock' | 'logger' | 'sweepEveryMs'>,
): () => void {
  let cancel = (): void => {}
  function scheduleNext(): void {
    const now = clock.now()
    const next = (Math.floor(now / sweepEveryMs) + 1) * sweepEveryMs
    jobs.schedule({ kind: 'sweep-directory' }, next).catch((error: unknown) => {
      logger.warn({ err: error }, 'a sweep of the directory could not be scheduled')
    })
    cancel = clock.setTimer(next - now, scheduleNext)
  }
  scheduleNext()
  return () => cancel()
}
