import { packKeyPackages } from '@conclave/core/delivery'
import { expect, test } from 'vitest'
import { redisDirectory } from '../../src/directory/redis/redisDirectory.ts'
import { eventually } from '../support/eventually.ts'
import { connectForTest, redisForTest } from '../support/redis.ts'
import { redisMissing } from '../support/redisServer.ts'
import { add, keyPackageOf, TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

test.skipIf(redisMissing)(
  'what is published at one instance is claimed and welcomed at another, through Redis',
  async () => {
    const redis = await redisForTest()
    const instance = async () =>
      TestServer.start({ directoryStore: redisDirectory(await connectForTest([redis.url])) })
    const [here, there] = [await instance(), await instance()]
    const bob = await TestMember.arrive(here, 'bob')
    const made = [await bob.publishable(), await bob.publishable()]
    const keyPackages = packKeyPackages(made.map(({ encoded }) => encoded))
    await bob.client.ask('publish', { keyPackages, lastResort: null })

    const grants = { join: true, invite: true }
    const token = await there.mint({ identity: 'alice', meeting: 'standup', grants })
    const inviter = await there.connectWith({ token })
    const claimed = (await inviter.ask('claim', { identity: 'bob' })).keyPackages
    expect(claimed).toEqual([made[0]?.encoded])
    const alice = await TestMember.found(there, 'alice')
    const seq = await alice.commit(claimed.map((one) => add(keyPackageOf(one))))

    const deviceKey = await bob.deviceKey()
    const mail = await eventually('the Welcome', async () => {
      const [found] = (await bob.client.ask('mailbox', { deviceKey })).mail
      return found
    })
    expect(mail).toMatchObject({ groupId: alice.groupId, ref: made[0]?.bundle.ref, seq })
    expect(await bob.client.ask('stock', { deviceKey })).toMatchObject({ remaining: 1 })
  },
)
