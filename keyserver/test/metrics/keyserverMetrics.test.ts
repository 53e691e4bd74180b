import { utf8 } from '@conclave/core/codec'
import { memoryStore } from '@conclave/keyserver'
import { describe, expect, test } from 'vitest'
import { createMetrics } from '../../src/metrics/keyserverMetrics.ts'
import { measuredStore } from '../../src/metrics/measuredStore.ts'
import { StoreError } from '../../src/store/storeError.ts'

const group = { meetingId: 'a meeting of that name', groupId: utf8('group'), epoch: 3 }
const member = { leaf: 1, identity: 'somebody of that name', deviceKey: utf8('key') }
const commit = { seq: 5, added: [member], removed: [], welcomeParts: [], logBytes: 700, ms: 12 }

/** The value of a sample, whose labels are given in the order of the metric's. */
function sample(text: string, name: string): number | undefined {
  const line = text.split('\n').find((one) => one.startsWith(`conclave_keyserver_${name} `))
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1))
}

describe('metrics', () => {
  test('count what an observer is told', async () => {
    const { observer, render } = createMetrics()
    observer.meetingStarted(group, member)
    observer.committed(group, commit)
    observer.committed(group, { ...commit, added: [], removed: [member, member] })
    observer.proposed(group, { seq: 6, ms: 1 })
    observer.refused('commit', 'message-invalid', 'proposal-invalid')
    observer.refused('commit', 'epoch-mismatch', undefined)
    observer.cut('slow-consumer')
    observer.meetingEnded(group, 'empty')
    const text = await render()
    expect(sample(text, 'commits_accepted_total')).toBe(2)
    expect(sample(text, 'proposals_accepted_total')).toBe(1)
    expect(sample(text, 'members_total{change="added"}')).toBe(1)
    expect(sample(text, 'members_total{change="removed"}')).toBe(2)
    expect(sample(text, 'fan_out_seconds_count{entry="commit"}')).toBe(2)
    expect(sample(text, 'fan_out_seconds_sum{entry="commit"}')).toBeCloseTo(0.024)
    expect(sample(text, 'log_length_entries_count')).toBe(2)
    expect(sample(text, 'log_commit_bytes_sum')).toBe(1400)
    expect(sample(text, 'connections_cut_total{reason="slow-consumer"}')).toBe(1)
    expect(sample(text, 'meetings_ended_total{reason="empty"}')).toBe(1)
    const refused = 'requests_refused_total{request="commit",code='
    expect(sample(text, `${refused}"message-invalid",detail="proposal-invalid"}`)).toBe(1)
    expect(sample(text, `${refused}"epoch-mismatch",detail=""}`)).toBe(1)
  })

  test('name no meeting and nobody', async () => {
    const { observer, render } = createMetrics()
    observer.meetingStarted(group, member)
    observer.committed(group, commit)
    observer.meetingEnded(group, 'empty')
    expect(await render()).not.toMatch(/of that name/)
  })

  test('do not grow with what clients make up', async () => {
    const { observer, render } = createMetrics()
    for (let index = 0; index < 5_000; index++) {
      observer.refused(`request${index}`, 'request-malformed', undefined)
      observer.refused('commit', 'message-invalid', `detail${index}`)
      observer.cut(`reason${index}`)
    }
    const lines = (await render()).split('\n')
    const refused = lines.filter((line) => line.includes('requests_refused_total{'))
    expect(refused.length).toBeLessThan(600)
    expect(lines.filter((line) => line.includes('connections_cut_total{')).length).toBeLessThan(60)
    const counted = refused.map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)))
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(10_000)
  })

  test('tell how late jobs run, and which fail', async () => {
    const { jobRan, render } = createMetrics()
    jobRan({ kind: 'webhook', attempt: 1, lateMs: 2_000, ok: false })
    jobRan({ kind: 'webhook', attempt: 2, lateMs: 4_000, ok: true })
    const text = await render()
    expect(sample(text, 'job_lag_seconds_sum{kind="webhook"}')).toBe(6)
    expect(sample(text, 'job_failures_total{kind="webhook"}')).toBe(1)
  })

  test('ask for connections and meetings when they are read', async () => {
    const { watch, render } = createMetrics()
    let connections = 0
    watch(() => ({ status: 'ok', connections, meetings: 2 }))
    expect(sample(await render(), 'connections')).toBe(0)
    connections = 7
    const text = await render()
    expect(sample(text, 'connections')).toBe(7)
    expect(sample(text, 'meetings')).toBe(2)
    expect(text).toContain('nodejs_eventloop_lag_seconds')
  })

  test('measure every step of a store, and change none', async () => {
    let now = 0
    const steps: [string, number, boolean][] = []
    const plain = memoryStore()
    const unreachable = {
      ...plain,
      check: async () => {
        now += 3
        throw new StoreError('store-unreachable', 'it is away')
      },
      currentGroup: async (meetingId: string) => {
        now += 5
        return await plain.currentGroup(meetingId)
      },
    }
    const store = measuredStore(unreachable, { now: () => now }, (...step) => steps.push(step))
    expect(store.shared).toBe(false)
    expect(await store.currentGroup('standup')).toBeNull()
    await expect(store.check()).rejects.toMatchObject({ code: 'store-unreachable' })
    expect(steps).toEqual([
      ['currentGroup', 5, true],
      ['check', 3, false],
    ])
  })
})
