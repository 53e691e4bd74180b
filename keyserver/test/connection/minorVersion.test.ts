import { protocolMinor } from '@conclave/core/delivery'
import { describe, expect, test } from 'vitest'
import type { DirectoryStore } from '../../src/directory/directory.ts'
import { memoryDirectory } from '../../src/directory/memoryDirectory.ts'
import { TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

const deviceKey = new Uint8Array(32)

/** A directory in which everybody has one device with little left. */
function runningLow(): DirectoryStore {
  const keyPackage = new Uint8Array(1)
  const stock = { remaining: 1, lastResort: false }
  const claimed = { ref: deviceKey, keyPackage, expiresAt: 2 ** 50, deviceKey, stock }
  return { ...memoryDirectory(), claim: () => Promise.resolve([claimed]) }
}

describe('the minor version', () => {
  test.each([{}, { minor: 0 }, { minor: 1 }, { minor: 99 }])(
    'of a client that says %j is taken, and the keyserver’s told',
    async (version) => {
      const client = await (await TestServer.start()).connect('alice', 'standup')
      const request = { protocol: 1, meetingId: 'standup', ...version }
      expect(await client.send('enter', request)).toMatchObject({ ok: true, minor: protocolMinor })
    },
  )

  test.each([-1, 0.5, '1', null])('is not %j', async (minor) => {
    const client = await (await TestServer.start()).connect('alice', 'standup')
    const request = { protocol: 1, meetingId: 'standup', minor }
    expect(await client.send('enter', request)).toMatchObject({ code: 'request-malformed' })
  })

  test('0 is not asked how a commit fared, as others are', async () => {
    const server = await TestServer.start()
    const alice = await TestMember.found(server, 'alice')
    const bob = await TestMember.arrive(server, 'bob')
    const bundle = await bob.wait()
    await alice.admit(1)
    await bob.join(bundle)
    await bob.take()
    const { groupId } = alice
    const [old, recent] = await Promise.all(
      [{}, { minor: 1 }].map(async (version) => {
        const client = await server.connect('carol', 'standup')
        await client.send('enter', { protocol: 1, meetingId: 'standup', ...version })
        await client.ask('resume', { groupId, after: alice.seen })
        return client
      }),
    )
    const seq = await alice.commit()
    const { entry } = await bob.client.notice('entry', (notice) => notice.entry.seq === seq)
    expect(await bob.report(entry, 'failed')).toMatchObject({ outcome: 'voided' })
    for (const client of [alice.client, bob.client, recent]) {
      expect(await client?.notice('statusWanted')).toMatchObject({ seq })
    }
    await old?.ask('resume', { groupId, after: seq })
    expect(old?.notices.entry.map((notice) => notice.entry.seq)).toEqual([seq, seq + 1])
    expect(old?.notices.statusWanted).toEqual([])
  })

  test('1 is told of a device’s stock, where 0 is not until it asks the directory', async () => {
    const server = await TestServer.start({ directoryStore: runningLow() })
    const grants = { join: true, invite: true }
    const enter = async (version: object) => {
      const client = await server.connect('bob', 'standup')
      await client.send('enter', { protocol: 1, meetingId: 'standup', ...version })
      return client
    }
    const [old, recent] = [await enter({}), await enter({ minor: 1 })]
    const token = await server.mint({ identity: 'alice', meeting: 'standup', grants })
    const alice = await server.connectWith({ token })
    const claim = () => alice.ask('claim', { identity: 'bob' })
    await claim()
    expect(await recent.notice('stockLow')).toMatchObject({ deviceKey, remaining: 1 })
    await old.ask('stock', { deviceKey })
    expect(old.notices.stockLow).toEqual([])
    await claim()
    expect(await old.notice('stockLow')).toMatchObject({ deviceKey, remaining: 1 })
  })
})
