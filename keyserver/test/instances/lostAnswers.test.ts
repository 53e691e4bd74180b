import { generateRemovalSigner, memoryStore } from '@conclave/keyserver'
import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { refreshMs } from '../../src/limits.ts'
import { type KeyserverObserver, silentObserver } from '../../src/observer.ts'
import type { Store } from '../../src/store/store.ts'
import { StoreError } from '../../src/store/storeError.ts'
import { eventually } from '../support/eventually.ts'
import { add, keyPackageOf, meetingOf, TestMember, type Upload } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

type Committed = Parameters<KeyserverObserver['committed']>

/** The store takes a commit in, and its answer to the instance is lost. */
describe('a commit of which the store could not say that it has won', () => {
  let clock: VirtualClock
  let lossy: LossyStore
  let here: TestServer
  let there: TestServer
  let told: { readonly here: Committed[]; readonly there: Committed[] }
  let alice: TestMember
  let bob: TestMember
  let upload: Upload

  beforeEach(async () => {
    clock = new VirtualClock()
    lossy = new LossyStore()
    told = { here: [], there: [] }
    const { store } = lossy
    const removalSigner = await generateRemovalSigner(globalThis.crypto.subtle)
    const start = (by: Committed[]) => {
      const committed = (...event: Committed) => void by.push(event)
      const observer = { ...silentObserver, committed }
      return TestServer.start({ clock, removalSigner, store, observer })
    }
    here = await start(told.here)
    there = await start(told.there)
    ;[alice, bob] = (await meetingOf(here, 'alice', 'bob')) as [TestMember, TestMember]
    const carol = await TestMember.arrive(here, 'carol')
    await carol.wait()
    const { waiting } = await alice.resume()
    const joiners = waiting.map(({ keyPackage }) => add(keyPackageOf(keyPackage)))
    upload = (await alice.prepareCommit(joiners)).upload
    told.here.length = 0
  })

  const unanswered = async () => {
    lossy.loses = 'answer'
    const reply = await alice.client.request('commit', upload)
    expect(reply).toMatchObject({ ok: false, code: 'unavailable' })
    expect(told).toEqual({ here: [], there: [] })
  }
  const looks = async () => {
    await clock.advanceAsync(refreshMs)
    // In line behind whatever the instances do by themselves.
    await here.keyserver.administration.meeting('standup')
    await there.keyserver.administration.meeting('standup')
  }
  const toldOfCarol = () => {
    const { epoch } = bob
    return [
      [
        { meetingId: 'standup', groupId: bob.groupId, epoch: epoch + 1 },
        {
          seq: bob.seen + 1,
          added: [expect.objectContaining({ leaf: 2, identity: 'carol' })],
          removed: [],
          welcomeParts: [expect.objectContaining({ leafIndex: 2 })],
          logBytes: upload.message.length,
          ms: expect.any(Number) as number,
        },
      ],
    ]
  }

  test('is told when it is sent again, once', async () => {
    await unanswered()
    expect(await alice.client.ask('commit', upload)).toMatchObject({ seq: bob.seen + 1 })
    expect(told).toEqual({ here: toldOfCarol(), there: [] })
    expect(await alice.client.ask('commit', upload)).toMatchObject({ seq: bob.seen + 1 })
    await looks()
    expect(told.here).toHaveLength(1)
    await bob.receiveUpTo(bob.seen + 1)
  })

  test('is told by the instance that gave it to the store, though it is sent again elsewhere', async () => {
    await unanswered()
    const { client } = await TestMember.arrive(there, 'alice')
    expect(await client.ask('commit', upload)).toMatchObject({ seq: bob.seen + 1 })
    const expected = toldOfCarol()
    await eventually('the word', async () => {
      await looks()
      return told.here.length > 0
    })
    expect(told).toEqual({ here: expected, there: [] })
  })

  test('is told by itself, also when the log has gone on', async () => {
    await unanswered()
    const expected = toldOfCarol()
    const { client } = await TestMember.arrive(there, 'bob')
    const { groupId, seen: after } = bob
    const { entries } = await client.ask('resume', { groupId, after })
    await bob.receive(entries)
    await client.ask('commit', (await bob.prepareCommit()).upload)
    await eventually('the word', async () => {
      await looks()
      return told.here.length > 0
    })
    await looks()
    expect(told.here).toEqual(expected)
    expect(told.there).toHaveLength(1)
  })

  test('is not told where the store has never had it, and another has won', async () => {
    lossy.loses = 'request'
    const reply = await alice.client.request('commit', upload)
    expect(reply).toMatchObject({ code: 'unavailable' })
    const { upload: other } = await bob.prepareCommit()
    await bob.client.ask('commit', other)
    expect(await alice.client.request('commit', upload)).toMatchObject({ code: 'epoch-mismatch' })
    await looks()
    await looks()
    expect(told.here.map(([, { added }]) => added)).toEqual([[]])
    expect(told.there).toEqual([])
  })
})

/** A shared store that loses what is said of one commit, on the way there or back. */
class LossyStore {
  loses: 'request' | 'answer' | undefined
  readonly store: Store

  constructor() {
    const store: Store = { ...memoryStore(), shared: true }
    this.store = {
      ...store,
      appendCommit: async (key, commit) => {
        const { loses } = this
        this.loses = undefined
        const lost = new StoreError('store-unreachable', 'cut off')
        if (loses === 'request') throw lost
        const outcome = await store.appendCommit(key, commit)
        if (loses === 'answer') throw lost
        return outcome
      },
    }
  }
}
