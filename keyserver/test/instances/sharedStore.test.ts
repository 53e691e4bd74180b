import { toHex, utf8 } from '@conclave/core/codec'
import { maxEntriesGivenBack, packEntries } from '@conclave/core/delivery'
import { generateRemovalSigner } from '@conclave/keyserver'
import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import type { JobHandlers, Jobs } from '../../src/jobs/jobs.ts'
import { leaseMs, presenceRepeatMs, refreshMs } from '../../src/limits.ts'
import { eventually } from '../support/eventually.ts'
import { Failover } from '../support/failover.ts'
import {
  add,
  keyPackageOf,
  type MeetingPlace,
  meetingOf,
  TestMember,
} from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

/** Two instances that hear nothing of each other but what is in the store. */
describe('instances over one store', () => {
  let clock: RunningClock
  let failover: Failover
  let here: TestServer
  let there: TestServer
  beforeEach(async () => {
    clock = new RunningClock()
    failover = new Failover()
    const { store } = failover
    const removalSigner = await generateRemovalSigner(globalThis.crypto.subtle)
    const start = () => TestServer.start({ clock, removalSigner, store })
    here = await start()
    there = await start()
  })

  /** A connection through the other instance, which takes up the group as it is by then. */
  const moves = async (member: TestMember): Promise<void> => {
    const { client, entered } = await TestMember.arrive(there, member.identity)
    member.client = client
    member.entered = entered
    await member.attach()
  }

  /** Alice adds dave, and the others cannot follow. */
  const failedAdd = async (alice: TestMember) => {
    const dave = await TestMember.arrive(here, 'dave')
    await dave.wait()
    const { waiting } = await alice.resume()
    const joiners = waiting.map(({ keyPackage }) => add(keyPackageOf(keyPackage)))
    const { upload } = await alice.prepareCommit(joiners)
    const { seq } = await alice.client.ask('commit', upload)
    return { seq, message: upload.message }
  }

  test('one that nobody of a meeting is at looks after it, and takes it up once something is due', async () => {
    const [alice, bob] = (await meetingOf(here, 'alice', 'bob')) as [TestMember, TestMember]
    const { groupId } = alice
    const { store } = failover
    const { jobs, check } = jobsByHand()
    const third = await TestServer.start({
      clock,
      removalSigner: here.removalSigner,
      store,
      jobs,
    })
    const opened = () => third.log.some((line) => line.includes('group open'))
    await check('standup', groupId)
    expect(opened()).toBe(false)
    await store.markLeaving({ meetingId: 'standup', groupId }, bob.leafIndex, utf8('why'))
    await check('standup', groupId)
    expect(opened()).toBe(true)
    const { head } = await alice.resume()
    expect(head).toBe(alice.seen)
    expect(alice.group.public.pendingRemovals).toContain(bob.leafIndex)
  })

  test('one that begins to follow a group where a commit has failed hears its members', async () => {
    const members = await meetingOf(here, 'alice', 'bob', 'carol')
    const [alice, bob, carol] = members as [TestMember, TestMember, TestMember]
    const entry = await failedAdd(alice)
    await moves(carol)
    expect(await bob.report(entry, 'failed')).toMatchObject({ outcome: 'collecting' })
    expect(await carol.report(entry, 'failed')).toMatchObject({ ok: true, outcome: 'voided' })
  })

  test('one that began to follow a group with a commit goes on where that is undone', async () => {
    const members = await meetingOf(here, 'alice', 'bob', 'carol')
    const [alice, bob, carol] = members as [TestMember, TestMember, TestMember]
    const entry = await failedAdd(alice)
    expect((await TestMember.arrive(there, 'erin')).summary.head).toBe(entry.seq)
    await bob.report(entry, 'failed')
    expect(await carol.report(entry, 'failed')).toMatchObject({ outcome: 'voided' })
    const { epoch } = bob
    const view = await there.keyserver.administration.meeting('standup')
    expect(view).toMatchObject({ epoch, head: entry.seq + 1 })
  })

  test('an entry that its instance could not tell is told, on whichever occasion it is learned', async () => {
    const [alice, bob] = (await meetingOf(here, 'alice', 'bob')) as [TestMember, TestMember]
    await moves(bob)
    await bob.resume()
    const seq = await alice.commit()
    // The other instance learns of it before it looks by itself.
    await there.keyserver.administration.meeting('standup')
    clock.advance(refreshMs)
    await bob.receiveUpTo(seq)
    expect(bob.group.epochAuthenticator).toEqual(alice.group.epochAuthenticator)
  })

  test('a log that has lost its end is followed as it is, and gets back what it has lost', async () => {
    const [alice, bob] = (await meetingOf(here, 'alice', 'bob')) as [TestMember, TestMember]
    const after = bob.seen
    failover.replicate = false
    const seq = await alice.commit()
    await bob.receiveUpTo(seq)
    failover.happen()
    const entries = packEntries(bob.client.notices.entry.map(({ entry }) => entry).slice(-1))
    const { groupId } = bob
    const groupInfo = await bob.group.groupInfo({ externalPub: true })
    const returned = { groupId, after, entries, groupInfo }
    expect(await alice.client.request('giveBack', returned)).toEqual({ ok: true, head: seq })
    await bob.receiveUpTo(await alice.commit())
  })

  test('more entries than a member keeps are not even looked at', async () => {
    const alice = await TestMember.found(here, 'alice')
    const { groupId, seen: after } = alice
    const entries = Array.from({ length: maxEntriesGivenBack + 1 }, (_, i) => {
      return { seq: after + 1 + i, message: groupId }
    })
    const groupInfo = await alice.group.groupInfo({ externalPub: true })
    const giveBack = (given: typeof entries) =>
      alice.client.request('giveBack', { groupId, after, entries: packEntries(given), groupInfo })
    expect(await giveBack(entries)).toMatchObject({ code: 'entries-inapplicable' })
    expect(await giveBack(entries.slice(1))).toMatchObject({ detail: 'entries-not-in-sequence' })
    expect(await giveBack(entries)).toMatchObject({ code: 'rate-limited' })
  })

  test('a log that has gone on otherwise than before it lost its end is followed as it is', async () => {
    const [alice, bob] = (await meetingOf(here, 'alice', 'bob')) as [TestMember, TestMember]
    const { pending, upload } = await bob.prepareCommit()
    failover.replicate = false
    await alice.commit()
    failover.happen()
    const { seq } = await (await TestMember.arrive(there, 'bob')).client.ask('commit', upload)
    bob.confirm(pending, seq)
    await bob.reconnect()
    expect(await bob.client.ask('commit', (await bob.prepareCommit()).upload)).toMatchObject({
      seq: seq + 1,
    })
  })

  test('a commit after one that the log has lost does not go into another that it has in its place', async () => {
    const [alice, bob] = (await meetingOf(here, 'alice', 'bob')) as [TestMember, TestMember]
    const { pending, upload } = await bob.prepareCommit()
    failover.replicate = false
    await alice.commit()
    const { upload: next } = await alice.prepareCommit()
    failover.happen()
    failover.replicate = true
    const elsewhere = await TestMember.arrive(there, 'bob')
    const { seq } = await elsewhere.client.ask('commit', upload)
    bob.confirm(pending, seq)
    expect(await alice.client.request('commit', next)).toMatchObject({
      code: 'message-invalid',
      detail: 'message-signature-invalid',
    })
    const { upload: again } = await bob.prepareCommit()
    expect(await bob.client.ask('commit', again)).toMatchObject({ seq: seq + 1 })
  })

  test.each(['given back', 'appended with a snapshot'])(
    'one that takes up a group just after an entry was %s notices when that is lost, too',
    async (how) => {
      const [alice, bob] = (await meetingOf(here, 'alice', 'bob')) as [TestMember, TestMember]
      const after = bob.seen
      const { pending, upload } = await bob.prepareCommit()
      const dave = await TestMember.arrive(here, 'dave')
      await dave.wait()
      failover.replicate = false
      const seq = await alice.admit(1)
      if (how === 'given back') {
        const { entries } = await alice.client.ask('resume', { groupId: alice.groupId, after })
        const groupInfo = await alice.group.groupInfo({ externalPub: true })
        const { groupId } = alice
        failover.happen()
        const returned = { groupId, after, entries: packEntries(entries), groupInfo }
        expect(await alice.client.ask('giveBack', returned)).toMatchObject({ head: seq })
      }
      expect((await TestMember.arrive(there, 'erin')).summary.head).toBe(seq)
      failover.happen()
      expect(await bob.client.ask('commit', upload)).toMatchObject({ seq })
      bob.confirm(pending, seq)
      const { client } = await TestMember.arrive(there, 'bob')
      expect(await client.ask('commit', (await bob.prepareCommit()).upload)).toMatchObject({
        seq: seq + 1,
      })
    },
  )

  test('of proposals that two took at once, for which there was room for one, the first counts', async () => {
    const [alice, bob] = (await meetingOf(here, 'alice', 'bob')) as [TestMember, TestMember]
    const { client: elsewhere } = await TestMember.arrive(there, 'bob')
    const { groupId } = bob
    const proposal = async (text: string) => ({
      groupId,
      message: await bob.group.propose({ proposalType: 10 }, { authenticatedData: utf8(text) }),
    })
    for (let nth = 0; nth < 15; nth++) await bob.client.ask('propose', await proposal(`${nth}`))
    const [one, other] = [await proposal('one'), await proposal('other')]
    failover.hold('appendProposal', 2)
    const both = [bob.client.ask('propose', one), elsewhere.ask('propose', other)]
    const seqs = (await Promise.all(both)).map(({ seq }) => seq)
    expect(seqs.sort()).toEqual([bob.seen + 16, bob.seen + 17])
    // Both instances go on with the group.
    expect(await elsewhere.ask('propose', one)).toMatchObject({ ok: true })
    expect(await bob.client.ask('propose', other)).toMatchObject({ ok: true })
    const { entries } = await alice.client.ask('resume', { groupId, after: alice.seen })
    expect(entries).toHaveLength(17)
    await alice.receive(entries.slice(0, 16))
    alice.seen += 1
    const seq = await alice.commit()
    const view = await there.keyserver.administration.meeting('standup')
    expect(view).toMatchObject({ head: seq, roster: [{ identity: 'alice' }] })
  })

  test('what one has judged to be valid in time is so for the others', async () => {
    const slow: MeetingPlace = {
      clock: { now: () => clock.now() - 800_000 },
      connect: (...names) => here.connect(...names),
    }
    const alice = await TestMember.found(slow, 'alice')
    const bob = await TestMember.arrive(here, 'bob')
    const commitUntil = async (looks: number) => {
      const now = BigInt(clock.now() / 1000)
      // For receivers it is good for so many more looks at the clock, and for none beyond.
      const notAfter = now - 600n + BigInt(looks)
      const { encoded } = await bob.keyPackage({ notBefore: now - 900n, notAfter })
      const { pending, upload } = await alice.prepareCommit([add(keyPackageOf(encoded))])
      clock.runs = true
      const reply = await alice.client.request('commit', upload)
      clock.runs = false
      if (!reply.ok) pending.discard()
      return reply
    }
    let reply = await commitUntil(0)
    for (let looks = 1; !reply.ok; looks++) {
      expect(reply).toMatchObject({ detail: 'leaf-lifetime-expired' })
      reply = await commitUntil(looks)
    }
    const { seq } = reply
    const view = await there.keyserver.administration.meeting('standup')
    expect(view).toMatchObject({ head: seq })
  })

  test('a commit of a proposal that was lost is refused, and the group goes on', async () => {
    const [alice, bob] = (await meetingOf(here, 'alice', 'bob')) as [TestMember, TestMember]
    const { groupId } = bob
    failover.replicate = false
    const message = await bob.group.proposeSelfRemove()
    const { seq } = await bob.client.ask('propose', { groupId, message })
    await alice.receiveUpTo(seq)
    const { upload } = await alice.prepareCommit()
    failover.happen()
    expect(await alice.client.request('commit', upload)).toMatchObject({ code: 'epoch-mismatch' })
    expect(await alice.client.request('resume', { groupId, after: seq })).toMatchObject({
      code: 'seq-out-of-range',
    })
    expect((await TestMember.arrive(there, 'erin')).summary.head).toBe(seq - 1)
  })

  test('who has gone or come is not forgotten by a store that fails over', async () => {
    const members = await meetingOf(here, 'alice', 'bob', 'carol')
    const [alice, bob, carol] = members as [TestMember, TestMember, TestMember]
    const present = async () => (await alice.resume()).present.join()
    carol.client.disconnect()
    await eventually('without carol', async () => (await present()) === '0,1')
    failover.replicate = false
    await moves(carol)
    bob.client.disconnect()
    await eventually('without bob', async () => (await present()) === '0,2')
    failover.happen()
    expect(await present()).toBe('0,1')
    await clock.advanceAsync(presenceRepeatMs)
    const repeated = async () => {
      await clock.advanceAsync(refreshMs)
      return (await present()) === '0,2'
    }
    await eventually('told once more', repeated)
  })

  test('who is connected stays in the group, however long the store cannot be reached', async () => {
    const [alice, bob] = (await meetingOf(here, 'alice', 'bob')) as [TestMember, TestMember]
    const { head } = await alice.resume()
    failover.reachable = false
    for (let ms = 0; ms < 3 * leaseMs; ms += refreshMs) await clock.advanceAsync(refreshMs)
    failover.reachable = true
    // Looked at before any instance has said that it is there.
    await there.keyserver.administration.meeting('standup')
    const present = async () => {
      await clock.advanceAsync(refreshMs)
      const view = await alice.resume()
      return view.present.length === 2 && view
    }
    expect(await eventually('both', present)).toMatchObject({ head, present: [0, 1] })
    await bob.receiveUpTo(await alice.commit())
  })
})

/** While it runs every look takes a second. */
class RunningClock extends VirtualClock {
  runs = false
  #ahead = 0

  override now(): number {
    if (this.runs) this.#ahead += 1_000
    return super.now() + this.#ahead
  }
}

/** Jobs that are done when the test says so. */
function jobsByHand() {
  let handlers: JobHandlers | undefined
  const jobs: Jobs = {
    start: async (given) => {
      handlers = given
    },
    schedule: async () => {},
    close: async () => {},
  }
  const check = async (meetingId: string, groupId: Uint8Array) =>
    handlers?.['check-group']({ kind: 'check-group', meetingId, groupId: toHex(groupId) })
  return { jobs, check }
}
