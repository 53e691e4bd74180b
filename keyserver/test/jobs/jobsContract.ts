import type { Clock } from '@conclave/core'
import { pino } from 'pino'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { JobError } from '../../src/jobs/jobError.ts'
import type {
  Job,
  JobHandlers,
  JobOptions,
  JobRun,
  JobService,
  WebhookEvent,
} from '../../src/jobs/jobs.ts'

export interface JobsHarness {
  readonly clock: Clock
  /** Jobs of one instance of the keyserver; those of one harness share what is shared. */
  open(options: JobOptions): JobService
  /** Lets time go by until `look` finds something. */
  until<T>(
    what: string,
    look: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T>
}

export const checkGroup = (groupId = 'aa'): Job => ({
  kind: 'check-group',
  meetingId: 'standup',
  groupId,
})

export function webhook(id: string): Job & { readonly event: WebhookEvent } {
  const event = {
    type: 'meeting.started',
    at: 0,
    meetingId: 'standup',
    groupId: 'aa',
    epoch: 0,
  } as const
  return { kind: 'webhook', event: { id, ...event } }
}

/** An instance, with what its handlers were given. */
export interface Instance {
  readonly jobs: JobService
  /** What has begun: `check-group aa`, `webhook msg_1`, and when. */
  readonly begun: readonly { readonly what: string; readonly at: number }[]
  readonly runs: readonly JobRun[]
  readonly log: readonly string[]
}

/** @param handle what all handlers do, except with `sweep-directory`, which is only noted */
export async function instance(
  harness: Pick<JobsHarness, 'clock' | 'open'>,
  handle: (what: string) => Promise<void> = async () => {},
  options: Partial<JobOptions> = {},
): Promise<Instance> {
  const begun: { what: string; at: number }[] = []
  const runs: JobRun[] = []
  const log: string[] = []
  const { clock } = harness
  const jobs = harness.open({
    clock,
    logger: pino({ level: 'debug' }, { write: (line: string) => log.push(line) }),
    onRun: (run) => run.kind !== 'sweep-directory' && runs.push(run),
    ...options,
  })
  onTestFinished(() => jobs.close())
  const begin = (what: string): Promise<void> => {
    begun.push({ what, at: clock.now() })
    return handle(what)
  }
  const handlers: JobHandlers = {
    'check-group': ({ groupId }) => begin(`check-group ${groupId}`),
    'sweep-directory': async () => void begun.push({ what: 'sweep-directory', at: clock.now() }),
    webhook: ({ event }) => begin(`webhook ${event.id}`),
  }
  await jobs.start(handlers)
  return { jobs, begun, runs, log }
}

export function countOf(instances: readonly Instance[], what: string): number {
  return instances.flatMap(({ begun }) => begun).filter((run) => run.what === what).length
}

/** What all jobs keep to, whatever they wait in. */
export function describeJobs(name: string, makeHarness: () => Promise<JobsHarness>): void {
  describe(name, () => {
    let harness: JobsHarness

    beforeEach(async () => {
      harness = await makeHarness()
    })

    const ran = (one: Instance, what: string, times = 1): Promise<true> =>
      harness.until(`${what}, ${times} times`, () => countOf([one], what) >= times)

    test('a job runs once, not before its time', async () => {
      const one = await instance(harness)
      const at = harness.clock.now() + 700
      await one.jobs.schedule(checkGroup(), at)
      await ran(one, 'check-group aa')
      const run = one.begun.find(({ what }) => what === 'check-group aa')
      expect(run?.at).toBeGreaterThanOrEqual(at)
      await harness.until('the report', () => one.runs.length === 1)
      expect(one.runs).toMatchObject([{ kind: 'check-group', attempt: 1, ok: true }])
    })

    test('what is past runs at once', async () => {
      const one = await instance(harness)
      await one.jobs.schedule(checkGroup(), 0)
      await ran(one, 'check-group aa')
    })

    test('the same job in the same quarter of a second runs once, another time again', async () => {
      const one = await instance(harness)
      const slot = Math.ceil((harness.clock.now() + 500) / 250) * 250
      for (const at of [slot + 1, slot + 100, slot + 250, slot + 251]) {
        await one.jobs.schedule(checkGroup(), at)
      }
      await one.jobs.schedule(checkGroup('bb'), slot + 1)
      await one.jobs.schedule(checkGroup('end'), slot + 1_000)
      await ran(one, 'check-group end')
      expect(countOf([one], 'check-group aa')).toBe(2)
      expect(countOf([one], 'check-group bb')).toBe(1)
      const [first] = one.begun.filter(({ what }) => what === 'check-group aa')
      expect(first?.at).toBeGreaterThanOrEqual(slot + 250)
    })

    test('what is wanted while the same job runs is done after it', async () => {
      const first = Promise.withResolvers<void>()
      const one = await instance(harness, () => first.promise)
      await one.jobs.schedule(checkGroup(), 0)
      await ran(one, 'check-group aa')
      await one.jobs.schedule(checkGroup(), 0)
      first.resolve()
      await ran(one, 'check-group aa', 2)
    })

    test('a job whose handler throws is tried again and harms no other', async () => {
      let failures = 2
      const one = await instance(harness, async (what) => {
        if (what === 'check-group bad' && failures-- > 0) throw new Error('not this time')
      })
      await one.jobs.schedule(checkGroup('bad'), 0)
      await one.jobs.schedule(checkGroup('good'), 0)
      await ran(one, 'check-group good')
      await ran(one, 'check-group bad', 3)
      await harness.until('the reports', () => one.runs.length === 4)
      const attempts = one.runs.map(({ attempt, ok }) => `${attempt} ${ok}`)
      expect(attempts.sort()).toEqual(['1 false', '1 true', '2 false', '3 true'])
      expect(one.log.filter((line) => line.includes('a job failed'))).toHaveLength(2)
    })

    test('webhooks that hang do not hold up the rest', async () => {
      const answer = Promise.withResolvers<void>()
      const one = await instance(
        harness,
        (what) => (what.startsWith('webhook') ? answer.promise : Promise.resolve()),
        { concurrency: 1 },
      )
      await one.jobs.schedule(webhook('msg_1'), 0)
      await ran(one, 'webhook msg_1')
      await one.jobs.schedule(webhook('msg_2'), 0)
      await one.jobs.schedule(checkGroup(), 0)
      await ran(one, 'check-group aa')
      expect(countOf([one], 'webhook msg_2')).toBe(0)
      answer.resolve()
      await ran(one, 'webhook msg_2')
    })

    test('an abandoned webhook is a dead letter, which can be listed and retried', async () => {
      let gone = true
      const one = await instance(harness, async () => {
        if (gone) throw new JobError('job-abandoned', 'the receiver answered 410 Gone')
      })
      const { deadLetters } = one.jobs
      expect(await deadLetters.list(10)).toEqual([])
      for (const [index, id] of ['msg_1', 'msg_2'].entries()) {
        await one.jobs.schedule(webhook(id), 0)
        await harness.until(id, async () => (await deadLetters.list(10)).length > index)
      }
      const letters = await deadLetters.list(10)
      expect(letters.map(({ event }) => event)).toEqual([
        webhook('msg_2').event,
        webhook('msg_1').event,
      ])
      expect(letters[0]).toMatchObject({ attempts: 1, reason: 'the receiver answered 410 Gone' })
      expect(letters[0]?.failedAt).toBeGreaterThanOrEqual(letters[1]?.failedAt ?? Infinity)
      expect(await deadLetters.list(1)).toEqual(letters.slice(0, 1))

      gone = false
      expect(await deadLetters.retry('msg_1')).toBe(true)
      await ran(one, 'webhook msg_1', 2)
      expect(await deadLetters.retry('msg_1')).toBe(false)
      expect(await deadLetters.retry('msg_3')).toBe(false)
      expect((await deadLetters.list(10)).map(({ event }) => event.id)).toEqual(['msg_2'])
    })

    test('only so many webhooks wait', async () => {
      const one = await instance(harness, async () => {}, { webhookBacklog: 2 })
      const later = harness.clock.now() + 60_000
      await one.jobs.schedule(webhook('msg_1'), later)
      await one.jobs.schedule(webhook('msg_2'), later)
      await expect(one.jobs.schedule(webhook('msg_3'), later)).rejects.toMatchObject({
        code: 'webhook-backlog-full',
      })
      await one.jobs.schedule(checkGroup(), 0)
      await ran(one, 'check-group aa')
    })

    test('the directory is swept again and again by itself', async () => {
      const one = await instance(harness, async () => {}, { sweepEveryMs: 400 })
      await ran(one, 'sweep-directory', 3)
    })

    test('closing lets what is running end, and takes nothing more', async () => {
      const end = Promise.withResolvers<void>()
      const one = await instance(harness, () => end.promise)
      await one.jobs.schedule(checkGroup(), 0)
      await ran(one, 'check-group aa')
      let closed = false
      const closing = one.jobs.close().then(() => {
        closed = true
      })
      await expect(one.jobs.schedule(checkGroup('bb'), 0)).rejects.toMatchObject({
        code: 'jobs-closed',
      })
      expect(closed).toBe(false)
      end.resolve()
      await closing
      expect(one.runs).toMatchObject([{ ok: true }])
    })
  })
}
