import { packKeyPackages } from '@conclave/core/delivery'
import { describe, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { add, keyPackageOf, TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

/** Connects somebody who may claim other people's KeyPackages. */
async function inviter(server: TestServer, identity: string, meeting = 'standup') {
  const grants = { join: true, invite: true }
  return await server.connectWith({ token: await server.mint({ identity, meeting, grants }) })
}

describe('somebody who is away', () => {
  test('is added with a claimed KeyPackage, and finds the Welcome in the mailbox', async () => {
    const server = await TestServer.start()
    const bob = await TestMember.arrive(server, 'bob')
    const { bundle, encoded } = await bob.publishable()
    const stock = await bob.client.ask('publish', {
      keyPackages: packKeyPackages([encoded]),
      lastResort: null,
    })
    expect(stock).toMatchObject({ remaining: 1, lastResort: false })
    bob.client.disconnect()

    const alice = await TestMember.found(server, 'alice')
    const { keyPackages } = await (await inviter(server, 'alice')).ask('claim', { identity: 'bob' })
    expect(keyPackages).toEqual([encoded])
    const seq = await alice.commit(keyPackages.map((one) => add(keyPackageOf(one))))

    bob.client = await server.connect('bob', 'standup')
    bob.entered = await bob.client.ask('enter', { protocol: 1, minor: 1, meetingId: 'standup' })
    const deviceKey = await bob.deviceKey()
    const mail = await eventually('the Welcome', async () => {
      const [found] = (await bob.client.ask('mailbox', { deviceKey })).mail
      return found
    })
    const { groupId } = alice
    expect(mail).toMatchObject({ meetingId: 'standup', groupId, ref: bundle.ref, seq })
    expect(alice.client.notices.mail).toEqual([])
    await bob.join(bundle, mail)
    await bob.take()
    expect(bob.group.epochAuthenticator).toEqual(alice.group.epochAuthenticator)

    await bob.client.ask('collect', { deviceKey, groupId, ref: bundle.ref })
    expect((await bob.client.ask('mailbox', { deviceKey })).mail).toEqual([])
    await alice.receiveUpTo(await bob.commit())
    expect(alice.group.epochAuthenticator).toEqual(bob.group.epochAuthenticator)
  })

  test('is added to two meetings with one last resort, and joins both', async () => {
    const server = await TestServer.start()
    const bob = await TestMember.arrive(server, 'bob', 'standup')
    const { bundle, encoded: lastResort } = await bob.publishable({ lastResort: true })
    await bob.client.ask('publish', { keyPackages: packKeyPackages([]), lastResort })
    const deviceKey = await bob.deviceKey()
    for (const meeting of ['standup', 'retro']) {
      const alice = await TestMember.found(server, 'alice', meeting)
      const { keyPackages } = await (await inviter(server, 'alice', meeting)).ask('claim', {
        identity: 'bob',
      })
      await alice.commit(keyPackages.map((one) => add(keyPackageOf(one))))
      const there = await TestMember.arrive(server, 'bob', meeting)
      const mail = await eventually(`the Welcome to ${meeting}`, async () => {
        const found = (await there.client.ask('mailbox', { deviceKey })).mail
        return found.find(({ meetingId }) => meetingId === meeting)
      })
      await there.join(bundle, mail)
      expect(there.group.epochAuthenticator).toEqual(alice.group.epochAuthenticator)
    }
    expect((await bob.client.ask('mailbox', { deviceKey })).mail).toHaveLength(2)
  })
})

test('every connection of an identity is told when a Welcome has come, and nobody else', async () => {
  const server = await TestServer.start()
  const bob = await TestMember.arrive(server, 'bob')
  const elsewhere = await server.connect('bob', 'retro')
  const deviceKey = await bob.deviceKey()
  await elsewhere.ask('stock', { deviceKey })
  const { encoded } = await bob.publishable()
  const publication = { keyPackages: packKeyPackages([encoded]), lastResort: null }
  await bob.client.ask('publish', publication)
  const alice = await TestMember.found(server, 'alice')
  const { keyPackages } = await (await inviter(server, 'alice')).ask('claim', { identity: 'bob' })
  await alice.commit(keyPackages.map((one) => add(keyPackageOf(one))))
  for (const client of [bob.client, elsewhere]) {
    expect(await client.notice('mail')).toEqual({ deviceKey })
    expect((await client.ask('mailbox', { deviceKey })).mail).toHaveLength(1)
  }
  expect(alice.client.notices.mail).toEqual([])
})

test('every connection of an identity is told that its stock runs low, and nobody else', async () => {
  const server = await TestServer.start()
  const [bob, carol] = [
    await TestMember.arrive(server, 'bob'),
    await TestMember.arrive(server, 'carol'),
  ]
  const elsewhere = await server.connect('bob', 'retro')
  const deviceKey = await bob.deviceKey()
  await elsewhere.ask('stock', { deviceKey })
  const made = [await bob.publishable(), await bob.publishable()]
  await bob.client.ask('publish', {
    keyPackages: packKeyPackages(made.map(({ encoded }) => encoded)),
    lastResort: null,
  })
  await (await inviter(server, 'alice')).ask('claim', { identity: 'bob' })
  for (const client of [bob.client, elsewhere]) {
    expect(await client.notice('stockLow')).toEqual({ deviceKey, remaining: 1, lastResort: false })
  }
  await carol.client.ask('stock', { deviceKey })
  expect(carol.client.notices.stockLow).toEqual([])
})

test('a mailbox, a stock and a KeyPackage are for their own identity, whatever a client asks', async () => {
  const server = await TestServer.start()
  const bob = await TestMember.arrive(server, 'bob')
  const mallory = await TestMember.arrive(server, 'mallory')
  const { encoded } = await bob.publishable()
  const publication = { keyPackages: packKeyPackages([encoded]), lastResort: null }
  expect(await mallory.client.request('publish', publication)).toMatchObject({
    code: 'key-package-invalid',
    detail: 'key-package-identity-mismatch',
  })
  await bob.client.ask('publish', publication)
  const deviceKey = await bob.deviceKey()
  expect(await mallory.client.ask('stock', { deviceKey })).toMatchObject({ remaining: 0 })
  expect((await mallory.client.ask('mailbox', { deviceKey })).mail).toEqual([])
  expect(await mallory.client.request('claim', { identity: 'bob' })).toMatchObject({
    code: 'not-permitted',
    detail: 'token-grant-missing',
  })
  expect(await bob.client.ask('stock', { deviceKey })).toMatchObject({ remaining: 1 })
})
