import { readdir, readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { generateRemovalSigner, memoryStore, type Store } from '@conclave/keyserver'
import { describe, expect, onTestFinished, test } from 'vitest'
import { redisStore } from '../../src/store/redis/redisStore.ts'
import { eventually } from '../support/eventually.ts'
import { connectForTest, redisForTest } from '../support/redis.ts'
import { redisMissing } from '../support/redisServer.ts'
import { meetingOf, TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'
import { Chance } from './chance.ts'
import { Crowd, type Ground } from './crowd.ts'
import { type Evidence, findings, gatherEvidence } from './findings.ts'
import { Instance, isComplaint } from './instances.ts'
import { Observations } from './observations.ts'
import { Wire } from './wire.ts'

/** Waiting for ever, for a fault that is there. */
const ceilingMs = 2_000
const chance = new Chance('planted')
const meetingId = 'standup'

/** A meeting's ground in this process, without any fault but those that a test plants. */
async function groundOn(store: Store = memoryStore()) {
  const server = await TestServer.start({ store })
  const ground = {
    store,
    trouble: undefined as Ground['trouble'],
    complaints: [],
    token: (identity: string, meeting: string) => server.token(identity, meeting),
    wire: async () => {
      const wire = await Wire.to(() => Number(new URL(server.url).port))
      onTestFinished(() => wire.close())
      return wire
    },
  }
  return ground satisfies Ground
}

async function crowdOn(ground: Ground): Promise<Crowd> {
  const crowd = new Crowd(ground, meetingId, { ceilingMs })
  onTestFinished(() => crowd.disperse())
  return crowd
}

/** What three epochs of an honest meeting leave behind. */
async function honestEvidence(): Promise<Evidence> {
  const store = { ...memoryStore(), durable: true }
  const observations = new Observations()
  const server = await TestServer.start({ store })
  const [alice] = (await meetingOf(server, 'alice', 'bob')) as [TestMember]
  for (let i = 0; i < 2; i++) await commitAs(alice, observations)
  return { ...(await gatherEvidence(store, meetingId, observations)), earlier: [] }
}

async function commitAs(member: TestMember, observations: Observations): Promise<void> {
  const { pending, upload } = await member.prepareCommit()
  const { identity, client } = member
  const send = () => client.request('commit', upload)
  const reply = await observations.asked(identity, 'commit', upload, send)
  if (!reply.ok) throw new Error(reply.code)
  member.confirm(pending, reply.seq)
}

describe('the judge of a meeting after faults', () => {
  test('finds nothing in an honest one', async () => {
    const ground = await groundOn()
    const crowd = await crowdOn(ground)
    await crowd.gather(chance, 2)
    const stop = crowd.load(chance)
    await crowd.letIn(chance)
    await stop()
    await crowd.settled()
    expect(await crowd.findings()).toEqual([])
    expect(findings(await honestEvidence())).toEqual([])
  })

  test('finds two commits of one epoch', async () => {
    const honest = { ...memoryStore(), durable: true, shared: true }
    // Whatever was compared, the commit is appended.
    const store: Store = {
      ...honest,
      appendCommit: async (key, commit) => {
        const { epoch } = (await honest.currentGroup(key.meetingId)) ?? commit
        return await honest.appendCommit(key, { ...commit, epoch })
      },
    }
    const removalSigner = await generateRemovalSigner(globalThis.crypto.subtle)
    const here = await TestServer.start({ store, removalSigner })
    const there = await TestServer.start({ store, removalSigner })
    const [alice, bob] = (await meetingOf(here, 'alice', 'bob')) as [TestMember, TestMember]
    const elsewhere = await there.connect('bob', meetingId)
    await elsewhere.enter(meetingId)
    const observations = new Observations()
    const { upload } = await bob.prepareCommit()
    await commitAs(alice, observations)
    await elsewhere.request('commit', upload)
    const evidence = await gatherEvidence(store, meetingId, observations)
    expect(findings({ ...evidence, earlier: [] })).toContain(
      'entry 3 is a second commit of epoch 1',
    )
  })

  test.each<[string, (evidence: Evidence) => Evidence, string]>([
    [
      'an entry that is missing',
      (evidence) => ({ ...evidence, log: evidence.log.filter(({ seq }) => seq !== 2) }),
      'entry 3 stands where 2 should',
    ],
    [
      'an end that is missing',
      (evidence) => ({ ...evidence, log: evidence.log.slice(0, -1) }),
      'the log has 2 entries, not 3',
    ],
    [
      'an epoch that nobody began',
      (evidence) => ({ ...evidence, group: { ...evidence.group, epoch: 7 } }),
      'the log ends in epoch 3, the store in 7',
    ],
    [
      'another entry than the one that was acknowledged',
      ({ acknowledged: [first, ...rest], ...evidence }) => ({
        ...evidence,
        acknowledged: [
          { who: 'alice', seq: 1, message: first?.message ?? new Uint8Array() },
          ...rest,
        ],
      }),
      'entry 1 is not what was acknowledged to alice',
    ],
    [
      'an entry that has been another before',
      (evidence) => ({
        ...evidence,
        earlier: evidence.log.map((entry) => ({ ...entry, message: new Uint8Array(1) })),
      }),
      'entry 3 is not what it was',
    ],
    [
      'two groups in one epoch',
      (evidence) => ({
        ...evidence,
        views: [
          { who: 'alice', epoch: 2, safetyCode: '1' },
          { who: 'bob', epoch: 2, safetyCode: '2' },
        ],
      }),
      'bob and alice are in different groups in epoch 2',
    ],
  ])('finds %s', async (_, plant, finding) => {
    expect(findings(plant(await honestEvidence()))).toContain(finding)
  })

  test('finds a member who silently stops following', async () => {
    const ground = await groundOn()
    const wires: Wire[] = []
    const crowd = await crowdOn({
      ...ground,
      wire: async () => {
        const wire = await ground.wire()
        wires.push(wire)
        return wire
      },
    })
    await crowd.gather(chance, 2)
    wires[1]?.swallowReplies()
    await crowd.letIn(chance)
    await expect(crowd.settled()).rejects.toThrow('person 1 is in epoch 1, not 2')
  })

  test('finds a request that is never answered', async () => {
    const ground = await groundOn()
    const crowd = await crowdOn(ground)
    await crowd.gather(chance, 1)
    ground.trouble = (_, request, send) => (request === 'attach' ? new Promise(() => {}) : send())
    await crowd.letIn(chance)
    await expect(crowd.settled()).rejects.toThrow('person 1 waits: attach')
  })

  test('finds a joiner who has been forgotten', async () => {
    const store = memoryStore()
    let forgetful = false
    const ground = await groundOn({
      ...store,
      addWaiting: async (...waiting) =>
        forgetful ? { outcome: 'waiting', position: 0 } : await store.addWaiting(...waiting),
    })
    const crowd = await crowdOn(ground)
    await crowd.gather(chance, 1)
    forgetful = true
    await expect(crowd.letIn(chance)).rejects.toThrow('person 1 waits: to join')
  })

  test('finds who should be gone and is not', async () => {
    const store = memoryStore()
    const ground = await groundOn({
      ...store,
      appendProposal: async () => ({ outcome: 'appended', seq: 0 }),
    })
    const crowd = await crowdOn(ground)
    await crowd.gather(chance, 1)
    await crowd.letIn(chance)
    await crowd.load(chance.of('none'))()
    await expect(crowd.settled()).rejects.toThrow('is in the group still')
  })

  test('finds what a keyserver logs as an error, but for the store’s own', () => {
    expect(isComplaint({ level: 30 })).toBe(false)
    expect(isComplaint({ level: 50 })).toBe(true)
    expect(isComplaint({ level: 60, err: { code: 'codec-trailing-bytes' } })).toBe(true)
    expect(isComplaint({ level: 50, err: { code: 'store-unreachable' } })).toBe(false)
  })
})

describe.skipIf(redisMissing)('the judge of a meeting in Redis', () => {
  test('finds an entry that was acknowledged as durable and that Redis has lost', async () => {
    const redis = await redisForTest()
    const store = redisStore(await connectForTest([redis.url]))
    const server = await TestServer.start({ store })
    const observations = new Observations()
    const alice = await TestMember.found(server, 'alice')
    await commitAs(alice, observations)
    await commitAs(alice, observations)
    alice.client.disconnect()
    expect(observations.acknowledged.map(({ seq }) => seq)).toEqual([1, 2])

    await redis.kill()
    const files = (await readdir(join(redis.folder, 'appendonlydir'))).filter((name) =>
      name.endsWith('.incr.aof'),
    )
    const file = join(redis.folder, 'appendonlydir', files[0] ?? '')
    const last = observations.acknowledged.at(-1)?.message ?? new Uint8Array()
    await truncate(file, (await readFile(file)).lastIndexOf(last))
    await redis.restart()
    const evidence = await eventually('the store', () =>
      gatherEvidence(store, meetingId, observations).catch(() => undefined),
    )
    expect(findings({ ...evidence, earlier: [] })).toEqual([
      'entry 2, acknowledged to alice, is lost',
    ])
  })

  test('finds an instance that ends by itself', async () => {
    const instance = await Instance.start('one', await redisForTest(), 1_000)
    onTestFinished(() => instance.kill())
    process.kill(instance.pid ?? 0, 'SIGKILL')
    await eventually('its end', () => instance.complaints.length > 0)
    expect(instance.complaints).toEqual(['one: ended by itself: SIGKILL'])
  })
})
