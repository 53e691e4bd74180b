import { utf8 } from '@conclave/core/codec'
import { systemRandom } from '@conclave/keyserver'
import { pino } from 'pino'
import { Webhook } from 'standardwebhooks'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { type Fetch, webhookSender } from '../../src/edge/webhookSender.ts'
import { JobError } from '../../src/jobs/jobError.ts'
import type { Job, JobService, WebhookEvent } from '../../src/jobs/jobs.ts'
import { timerJobs } from '../../src/jobs/timerJobs.ts'
import type { ObservedGroup, ObservedMember } from '../../src/observer.ts'
import { webhookObserver } from '../../src/webhooks/webhookObserver.ts'
import { eventually } from '../support/eventually.ts'
import { type Delivery, receiver } from './receiver.ts'

const group: ObservedGroup = { meetingId: 'standup', groupId: utf8('g'), epoch: 4 }
const member = (leaf: number, identity: string): ObservedMember => ({
  leaf,
  identity,
  deviceKey: utf8('k'),
})
const alice = { leaf: 0, identity: 'alice', deviceKey: '6b' }
const secret = `whsec_${Buffer.from('a secret of thirty-two bytes, ok').toString('base64')}`

describe('webhooks of what happens', () => {
  let clock: VirtualClock
  let log: string[]
  let underWay: number

  beforeEach(() => {
    // The library that verifies goes by the machine's clock.
    clock = new VirtualClock(Date.now())
    log = []
    underWay = 0
  })

  const logger = () => pino({ level: 'trace' }, { write: (line: string) => log.push(line) })

  function scheduled(): { told: WebhookEvent[]; observer: ReturnType<typeof webhookObserver> } {
    const told: WebhookEvent[] = []
    const jobs = {
      schedule: async (job: Job, at: number) => {
        expect(at).toBe(clock.now())
        if (job.kind === 'webhook') told.push(job.event)
      },
    }
    return {
      told,
      observer: webhookObserver({ jobs, clock, random: systemRandom, logger: logger() }),
    }
  }

  test('a meeting’s start names its founder, its next group the one before, its end the reason', () => {
    const { told, observer } = scheduled()
    observer.meetingStarted({ ...group, epoch: 0 }, member(0, 'alice'))
    observer.meetingContinued({ ...group, epoch: 1 }, utf8('f'))
    observer.meetingEnded(group, 'deserted')
    const at = clock.now()
    const common = {
      at,
      meetingId: 'standup',
      groupId: '67',
      id: expect.stringMatching(/^msg_[0-9a-f]{32}$/),
    }
    expect(told).toEqual([
      { ...common, type: 'meeting.started', epoch: 0 },
      { ...common, type: 'participant.joined', epoch: 0, participant: alice },
      { ...common, type: 'meeting.continued', epoch: 1, continues: '66' },
      { ...common, type: 'meeting.ended', epoch: 4, reason: 'deserted' },
    ])
    expect(new Set(told.map(({ id }) => id)).size).toBe(4)
  })

  test('a commit tells of its epoch, who has left and who has joined, and of nothing else', () => {
    const { told, observer } = scheduled()
    observer.committed(group, {
      seq: 9,
      added: [member(2, 'carol'), member(0, 'alice')],
      removed: [member(1, 'bob')],
      welcomeParts: [{ ref: utf8('ref'), leafIndex: 2, welcome: utf8('welcome-bytes') }],
      logBytes: 100,
      ms: 5,
    })
    expect(told.map(({ type, participant }) => `${type} ${participant?.identity ?? ''}`)).toEqual([
      'epoch.advanced ',
      'participant.left bob',
      'participant.joined carol',
      'participant.joined alice',
    ])
    const known = ['id', 'type', 'at', 'meetingId', 'groupId', 'epoch', 'participant', 'reason']
    for (const event of told) expect(known).toEqual(expect.arrayContaining(Object.keys(event)))
    observer.proposed(group, { seq: 10, ms: 1 })
    observer.refused('commit', 'epoch-mismatch', undefined)
    observer.cut('rate-limited')
    expect(told).toHaveLength(4)
  })

  test('a webhook that cannot be scheduled is logged and harms nobody', async () => {
    const failing = {
      schedule: async () => {
        throw new JobError('webhook-backlog-full', 'too many webhooks wait to be delivered')
      },
    }
    const observer = webhookObserver({
      jobs: failing,
      clock,
      random: systemRandom,
      logger: logger(),
    })
    observer.meetingEnded(group, 'deserted')
    await clock.advanceAsync(0)
    expect(log).toHaveLength(1)
    expect(JSON.parse(log[0] ?? '')).toMatchObject({ meeting: 'standup', msg: 'webhook lost' })
  })

  async function running(url: string): Promise<JobService> {
    const jobs = timerJobs({ clock, logger: logger() })
    onTestFinished(() => jobs.close())
    await jobs.start({
      'check-group': async () => {},
      'sweep-directory': async () => {},
      webhook: ({ event }) => send(event),
    })
    const counted: Fetch = (...request) => {
      underWay++
      return fetch(...request).finally(() => underWay--)
    }
    const send = webhookSender({ url, secret, fetch: counted, clock })
    return jobs
  }

  /** Lets time go by, but never while a delivery is under way on real sockets. */
  async function until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
    await eventually(what, async () => {
      if (underWay === 0) await clock.advanceAsync(1_000)
      return await look()
    })
  }

  test('after 500 the same webhook comes again, with its id and a fresh signature', async () => {
    let failures = 2
    const { url, deliveries } = await receiver((response) =>
      response.writeHead(failures-- > 0 ? 500 : 204).end(),
    )
    const jobs = await running(url)
    const observer = webhookObserver({ jobs, clock, random: systemRandom, logger: logger() })
    observer.meetingEnded(group, 'deserted')
    await until('three deliveries', () => deliveries.length === 3)
    const ids = deliveries.map(({ headers }) => headers['webhook-id'])
    expect(new Set(ids).size).toBe(1)
    const times = deliveries.map(({ headers }) => Number(headers['webhook-timestamp']))
    expect(times[2]).toBeGreaterThan(times[0] ?? Infinity)
    for (const { body, headers } of deliveries) {
      expect(new Webhook(secret).verify(body, { ...headers })).toMatchObject({ id: ids[0] })
    }
    expect(await jobs.deadLetters.list(1)).toEqual([])
  })

  test('after 410 it is a dead letter at once, and delivered when retried', async () => {
    let status = 410
    const { url, deliveries } = await receiver((response) => response.writeHead(status).end())
    const jobs = await running(url)
    webhookObserver({ jobs, clock, random: systemRandom, logger: logger() }).meetingEnded(
      group,
      'x',
    )
    await until('the dead letter', async () => (await jobs.deadLetters.list(1)).length === 1)
    await clock.advanceAsync(2 * 3_600_000)
    expect(deliveries).toHaveLength(1)
    status = 204
    const [letter] = await jobs.deadLetters.list(1)
    expect(await jobs.deadLetters.retry(letter?.event.id ?? '')).toBe(true)
    await until('the second delivery', () => deliveries.length === 2)
    expect(deliveries[1]?.body).toBe(deliveries[0]?.body)
    expect(await jobs.deadLetters.list(1)).toEqual([])
  })

  test('neither URL, secret nor what is in a webhook is logged', async () => {
    const { url, deliveries } = await receiver(
      (response: { destroy(): unknown }) => void response.destroy(),
    )
    const jobs = await running(url)
    const observer = webhookObserver({ jobs, clock, random: systemRandom, logger: logger() })
    observer.meetingStarted(group, member(0, 'alice-of-the-payload'))
    await until('the failure', () => log.some((line) => line.includes('a job failed')))
    const shown = log.join('\n')
    for (const hidden of ['of-the-url', secret.slice(6), 'alice-of-the-payload']) {
      expect(shown).not.toContain(hidden)
    }
    const sent = deliveries.map(({ body }: Delivery) => body).join('\n')
    expect(sent).not.toContain(secret.slice(6))
  })
})
