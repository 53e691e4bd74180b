import { type Bytes, decode, encode, utf8 } from '@conclave/core/codec'
import { maxApplicationMessageBytes } from '@conclave/core/delivery'
import { ContentType, MlsMessage, WireFormat } from '@conclave/core/wire'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { meetingOf, TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

type Pair = [TestMember, TestMember]

/** What `send` takes. */
async function words(member: TestMember, text = 'hello') {
  const { groupId, group } = member
  return { groupId, message: await group.protect(utf8(text)) }
}

/** The message, which says that it holds a proposal. */
function asProposal(message: Bytes): Bytes {
  const decoded = decode(MlsMessage, message)
  if (decoded.wireFormat !== WireFormat.privateMessage) throw new Error('no PrivateMessage')
  const { privateMessage } = decoded
  const { proposal: contentType } = ContentType
  return encode(MlsMessage, { ...decoded, privateMessage: { ...privateMessage, contentType } })
}

describe('application messages', () => {
  test('go to all others who follow the log, who can read them', async () => {
    const server = await TestServer.start()
    const members = await meetingOf(server, 'alice', 'bob', 'carol')
    const [alice, ...others] = members as [TestMember, ...TestMember[]]
    const sent = await words(alice)
    expect(await alice.client.request('send', sent)).toEqual({ ok: true })
    for (const { client, group } of others) {
      const { message } = await client.notice('message')
      expect(await group.receive(message)).toMatchObject({
        kind: 'application',
        sender: alice.leafIndex,
        data: utf8('hello'),
      })
    }
    expect(alice.client.notices.message).toEqual([])
    expect((await alice.resume()).head).toBe(alice.seen)
  })

  test('are of the current epoch or the one before', async () => {
    const server = await TestServer.start()
    const [alice, bob] = (await meetingOf(server, 'alice', 'bob')) as Pair
    const [old, late] = [await words(bob, 'old'), await words(bob, 'late')]
    await bob.receiveUpTo(await alice.commit())
    expect(await bob.client.request('send', late)).toEqual({ ok: true })
    await bob.receiveUpTo(await alice.commit())
    expect(await bob.client.request('send', old)).toMatchObject({ code: 'epoch-mismatch' })
    const { pending } = await alice.prepareCommit()
    const ahead = alice.group.confirm(pending)
    const early = { groupId: alice.groupId, message: await ahead.protect(utf8('early')) }
    expect(await bob.client.request('send', early)).toMatchObject({ code: 'epoch-mismatch' })
    ahead.close()
  })

  test('come after the commit of their epoch, and before the next one', async () => {
    const server = await TestServer.start()
    const [alice, bob] = (await meetingOf(server, 'alice', 'bob')) as Pair
    const order: string[] = []
    bob.client.socket.on('entry', () => order.push('entry'))
    bob.client.socket.on('message', () => order.push('message'))
    await alice.commit()
    await alice.client.ask('send', await words(alice))
    await alice.client.ask('send', await words(alice))
    await bob.receiveUpTo(await alice.commit())
    expect(order).toEqual(['entry', 'message', 'message', 'entry'])
  })

  test('of a connection that speaks for no leaf, or for one that is gone, are refused', async () => {
    const server = await TestServer.start()
    const [alice, bob, carol] = (await meetingOf(server, 'alice', 'bob', 'carol')) as [
      ...Pair,
      TestMember,
    ]
    const refused = { ok: false, code: 'presence-invalid' }
    const stranger = await TestMember.arrive(server, 'dave')
    expect(await stranger.client.request('send', await words(alice))).toMatchObject(refused)
    const parting = await words(carol)
    const message = await carol.group.proposeSelfRemove()
    const { seq } = await carol.client.ask('propose', { groupId: carol.groupId, message })
    await alice.receiveUpTo(seq)
    await bob.receiveUpTo(await alice.commit())
    expect(await carol.client.request('send', parting)).toMatchObject(refused)
    expect(bob.client.notices.message).toEqual([])
  })

  test('are not anything else, nor of another group', async () => {
    const server = await TestServer.start()
    const [alice, bob] = (await meetingOf(server, 'alice', 'bob')) as Pair
    const other = await TestMember.found(server, 'alice', 'elsewhere')
    const { groupId } = alice
    const proposal = await alice.group.proposeSelfRemove()
    const hidden = asProposal((await words(alice)).message)
    for (const message of [proposal, hidden]) {
      expect(await alice.client.request('send', { groupId, message })).toMatchObject({
        code: 'message-invalid',
        detail: 'message-kind-unexpected',
      })
    }
    const { message } = await words(other)
    expect(await alice.client.request('send', { groupId, message })).toMatchObject({
      code: 'group-unknown',
    })
    expect(bob.client.notices.message).toEqual([])
  })

  test('are not told to clients of an earlier minor version', async () => {
    const server = await TestServer.start()
    const [alice, bob] = (await meetingOf(server, 'alice', 'bob')) as Pair
    const { groupId, seen: after } = alice
    const earlier = await Promise.all(
      [{}, { minor: 1 }].map(async (version) => {
        const client = await server.connect('carol', 'standup')
        await client.send('enter', { protocol: 1, meetingId: 'standup', ...version })
        await client.ask('resume', { groupId, after })
        return client
      }),
    )
    await alice.client.ask('send', await words(alice))
    await bob.client.notice('message')
    for (const client of earlier) {
      await client.ask('resume', { groupId, after })
      expect(client.notices.message).toEqual([])
    }
  })

  test('are so many of a connection and of a meeting, by their size', async () => {
    const clock = new VirtualClock(Date.now())
    const limits = { messagesPerSecond: 1, messageBurst: 4, meetingMessageBurst: 6 }
    const server = await TestServer.start({ clock, limits })
    const [alice, bob] = (await meetingOf(server, 'alice', 'bob')) as Pair
    const limited = { ok: false, code: 'rate-limited' }
    const small = await words(alice)
    for (let i = 0; i < 4; i++)
      expect(await alice.client.request('send', small)).toEqual({ ok: true })
    expect(await alice.client.request('send', small)).toMatchObject(limited)
    // The meeting has two left.
    const large = await words(bob, 'x'.repeat(3 * 1024))
    expect(await bob.client.request('send', large)).toEqual({ ok: true })
    const carol = await TestMember.arrive(server, 'carol')
    expect(await carol.client.request('send', small)).toMatchObject(limited)
    clock.advance(1_000)
    expect(await alice.client.request('send', small)).toEqual({ ok: true })
    expect(await alice.client.request('send', small)).toMatchObject(limited)
    // Bob owes for what he has sent.
    expect(await bob.client.request('send', small)).toEqual({ ok: true })
  })

  test('of the largest size pass whole', async () => {
    const server = await TestServer.start()
    const [alice, bob] = (await meetingOf(server, 'alice', 'bob')) as Pair
    const { groupId } = alice
    const { length } = await alice.group.protect(new Uint8Array(8192))
    const room = maxApplicationMessageBytes - length
    const message = await alice.group.protect(new Uint8Array(8192 + room))
    expect(message).toHaveLength(maxApplicationMessageBytes)
    expect(await alice.client.request('send', { groupId, message })).toEqual({ ok: true })
    expect((await bob.client.notice('message')).message).toEqual(message)
  })
})
