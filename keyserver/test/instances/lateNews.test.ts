import { generateRemovalSigner, memoryStore } from '@conclave/keyserver'
import type { Namespace } from 'socket.io'
import { Adapter } from 'socket.io-adapter'
import { expect, test } from 'vitest'
import { TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

const meetingId = 'standup'

/** Two instances over one store; what one tells the other comes when the test says so. */
async function startTwo() {
  const news: (() => void)[] = []
  const namespaces = new Set<Namespace>()
  class HeldAdapter extends Adapter {
    constructor(namespace: Namespace) {
      super(namespace)
      namespaces.add(namespace)
    }
    override serverSideEmit(packet: [string, ...unknown[]]): void {
      for (const other of namespaces) {
        if (other === this.nsp || other.name !== this.nsp.name) continue
        news.push(() => other._onServerSideEmit(packet))
      }
    }
  }
  const shared = {
    store: memoryStore(),
    removalSigner: await generateRemovalSigner(globalThis.crypto.subtle),
    adapter: HeldAdapter,
  }
  const [here, there] = [await TestServer.start(shared), await TestServer.start(shared)]
  const bringNews = () => {
    for (const tell of news.splice(0)) tell()
  }
  return { here, there, bringNews }
}

test('who is in the next group already stays in it when news come that the one before has ended', async () => {
  const { here, there, bringNews } = await startTwo()
  const alice = await TestMember.found(here, 'alice', meetingId)
  await here.keyserver.administration.end(meetingId)
  await alice.client.notice('closed')
  const bob = await TestMember.found(there, 'bob', meetingId)
  expect(bob.groupId).not.toEqual(alice.groupId)
  bringNews()
  // Out of the meeting, a connection would neither be heard nor be told.
  const carol = await TestMember.arrive(there, 'carol', meetingId)
  const bundle = await carol.wait()
  await bob.admit(1)
  await carol.join(bundle)
  expect(carol.group.epochAuthenticator).toEqual(bob.group.epochAuthenticator)
  expect(bob.client.notices.closed).toEqual([])
})

test('who is in a group that another instance ends is told', async () => {
  const { here, there, bringNews } = await startTwo()
  await TestMember.found(here, 'alice', meetingId)
  const bob = await TestMember.arrive(there, 'bob', meetingId)
  const { groupId } = bob.summary
  await here.keyserver.administration.end(meetingId)
  expect(bob.client.notices.closed).toEqual([])
  bringNews()
  expect(await bob.client.notice('closed')).toMatchObject({ groupId })
})
