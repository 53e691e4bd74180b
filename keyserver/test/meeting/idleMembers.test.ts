import type { LogEntry } from '@conclave/core/delivery'
import { memoryStore } from '@conclave/keyserver'
import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { checkMs } from '../../src/limits.ts'
import { eventually } from '../support/eventually.ts'
import { removalIn } from '../support/removalWords.ts'
import { meetingOf, TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

const minute = 60_000
const idleMs = 30 * minute
const graceMs = 10_000

const reasonIn = (entry: LogEntry) => removalIn(entry).envelope?.reason

describe('a member who renews no keys', () => {
  let clock: VirtualClock
  let server: TestServer
  let alice: TestMember
  let bob: TestMember
  beforeEach(async () => {
    clock = new VirtualClock()
    server = await TestServer.start({ clock, graceMs, idleMs })
    const members = await meetingOf(server, 'alice', 'bob')
    ;[alice, bob] = members as [TestMember, TestMember]
  })

  /** One step of the clock after the other, each with what it brings about. */
  const pass = async (ms: number, on = server) => {
    const until = clock.now() + ms
    while (clock.now() < until) {
      await clock.advanceAsync(Math.min(checkMs, until - clock.now()))
      await on.keyserver.administration.meeting('standup')
    }
  }
  const removal = async (seq: number) => {
    const { entry } = await alice.client.notice('entry', (notice) => notice.entry.seq === seq)
    return entry
  }

  test('is proposed for removal although it is connected, and the proposal says why', async () => {
    const begun = clock.now()
    await pass(20 * minute)
    const seq = await alice.commit()
    await bob.receiveUpTo(seq)
    await pass(idleMs - (clock.now() - begun) - 1)
    expect(await alice.resume()).toMatchObject({ head: seq, present: [0, 1] })
    await pass(checkMs)
    expect(reasonIn(await removal(seq + 1))).toBe('idle')
    await alice.receiveUpTo(seq + 1)
    expect(alice.group.public.pendingRemovals).toEqual(new Set([1]))
    const { upload } = await bob.prepareCommit()
    expect(await bob.client.request('commit', upload)).toMatchObject({
      detail: 'committer-pending-removal',
    })
    await alice.commit()
    expect(alice.group.members.map(({ leafIndex }) => leafIndex)).toEqual([0])
  })

  test('is proposed anew after a commit that missed the proposal', async () => {
    await pass(20 * minute)
    await bob.receiveUpTo(await alice.commit())
    const { pending, upload } = await alice.prepareCommit()
    await pass(10 * minute + checkMs)
    const first = alice.seen + 1
    expect(reasonIn(await removal(first))).toBe('idle')
    const won = await alice.client.ask('commit', upload)
    alice.confirm(pending, won.seq)
    expect(reasonIn(await removal(won.seq + 1))).toBe('idle')
  })

  test('is left alone for as long as it does', async () => {
    for (let round = 0; round < 5; round++) {
      await pass(10 * minute)
      await bob.receiveUpTo(await alice.commit())
      await alice.receiveUpTo(await bob.commit())
    }
    const { head } = await alice.resume()
    expect(head).toBe(alice.seen)
  })

  test('has time to do so where no keyserver was there for long', async () => {
    const store = { ...memoryStore(), shared: true, close: async () => {} }
    const { removalSigner } = server
    const start = (of = store) =>
      TestServer.start({ clock, graceMs, idleMs, store: of, removalSigner })
    // One that dies takes leave of nobody.
    const first = await start({ ...store, detach: async () => false })
    const [carol, dave] = (await meetingOf(first, 'carol', 'dave')) as [TestMember, TestMember]
    await first.keyserver.close()
    clock.advance(40 * minute)

    const second = await start()
    for (const member of [carol, dave]) {
      const { client, entered } = await TestMember.arrive(second, member.identity)
      Object.assign(member, { client, entered })
      await member.attach()
    }
    await pass(9 * minute, second)
    expect(await carol.resume()).toMatchObject({ head: carol.seen, present: [0, 1] })
    const seq = await carol.commit()
    await pass(2 * minute, second)
    const { head } = await carol.resume()
    expect(head).toBe(seq + 1)
    expect(carol.group.public.pendingRemovals).toEqual(new Set([dave.leafIndex]))
  })

  test('says nothing of absence: who is both is said to be absent', async () => {
    bob.client.disconnect()
    await eventually('bob gone', async () => {
      clock.advance(50)
      return `${(await alice.resume()).present}` === '0'
    })
    const { seen } = alice
    await clock.advanceAsync(idleMs)
    expect(reasonIn(await removal(seen + 1))).toBe('absent')
  })
})
