import type { Grants } from '@conclave/core/access'
import { utf8 } from '@conclave/core/codec'
import { verifyRemovalRequest } from '@conclave/core/delivery'
import { beforeEach, describe, expect, test } from 'vitest'
import { removalIn, wordsOf } from '../support/removalWords.ts'
import { admitted, meetingOf, type TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

describe('removing a person', () => {
  let server: TestServer
  let host: TestMember
  let other: TestMember
  beforeEach(async () => {
    server = await TestServer.start()
    const members = (await meetingOf(server, 'alice', 'bob')) as [TestMember, TestMember]
    ;[host, other] = members
    for (let device = 0; device < 2; device++) {
      members.push(await admitted(server, members, 'mallory'))
    }
    await promote(host)
  })

  /** The same leaf over a connection whose token says more. */
  const promote = async (member: TestMember, grants: Grants = { join: true, remove: true }) => {
    const { identity, meetingId } = member
    member.client.disconnect()
    member.client = await server.connectWith({
      token: await server.mint({ identity, meeting: meetingId, grants }),
    })
    const entered = await member.client.enter(meetingId)
    if (!entered.ok) throw new Error(entered.code)
    member.entered = entered
    await member.take()
  }
  const ask = async (member: TestMember, identity: string, leaves: readonly number[]) =>
    await member.client.request('remove', {
      groupId: member.groupId,
      identity,
      leafIndex: member.leafIndex,
      words: await wordsOf(member, leaves),
    })

  test('proposes to remove all leaves, with the word of who asked for each', async () => {
    const before = host.seen
    expect(await ask(host, 'mallory', [2, 3])).toEqual({ ok: true, leaves: [2, 3] })
    const removals = []
    for (const seq of [before + 1, before + 2]) {
      const { entry } = await other.client.notice('entry', (notice) => notice.entry.seq === seq)
      removals.push(removalIn(entry))
    }
    expect(removals.map(({ leaf }) => leaf)).toEqual([2, 3])
    const { crypto, tree } = other.group.public
    for (const { leaf, envelope } of removals) {
      expect(envelope).toMatchObject({ reason: 'removed', requester: { leafIndex: 0 } })
      const keys = [host.leafIndex, leaf].map((each) => tree.leafNode(each)?.signatureKey)
      const [hostKey = utf8(''), signatureKey = utf8('')] = keys
      const claim = { groupId: other.groupId, signatureKey }
      const signature = envelope?.requester?.signature ?? utf8('')
      expect(await verifyRemovalRequest(crypto, hostKey, claim, signature)).toBe(true)
    }
    await other.receiveUpTo(before + 2)
    await other.commit()
    expect(other.group.members.map(({ leafIndex }) => leafIndex)).toEqual([0, 1])
  })

  test('takes leaves with it that the host did not know of, without a word for those', async () => {
    const before = host.seen
    expect(await ask(host, 'mallory', [3])).toEqual({ ok: true, leaves: [2, 3] })
    const { entry } = await other.client.notice('entry', (one) => one.entry.seq === before + 1)
    expect(removalIn(entry)).toEqual({
      leaf: 2,
      envelope: { reason: 'removed', requester: undefined },
    })
  })

  test('is proposed anew, with the same word, after a commit that missed it', async () => {
    const { pending, upload } = await other.prepareCommit()
    await ask(host, 'mallory', [2, 3])
    const won = await other.client.ask('commit', upload)
    other.confirm(pending, won.seq)
    const { entry } = await host.client.notice('entry', (one) => one.entry.seq === won.seq + 1)
    expect(removalIn(entry)).toMatchObject({
      leaf: 2,
      envelope: { reason: 'removed', requester: { leafIndex: 0 } },
    })
  })

  test('is of no effect where nobody is meant', async () => {
    const before = host.seen
    expect(await ask(host, 'nobody', [])).toEqual({ ok: true, leaves: [] })
    expect(await host.resume()).toMatchObject({ head: before })
  })

  test('takes a token that grants it, and no more than that', async () => {
    const before = other.seen
    expect(await ask(other, 'mallory', [2, 3])).toMatchObject({
      ok: false,
      code: 'not-permitted',
      detail: 'token-grant-missing',
    })
    expect(await other.resume()).toMatchObject({ head: before })
    await promote(other, { join: true, manage: true })
    expect(await ask(other, 'mallory', [2, 3])).toMatchObject({ ok: true })
  })

  test('takes a connection that speaks for the leaf that asks', async () => {
    const { groupId, client } = host
    const words = await wordsOf(host, [2, 3])
    const request = { groupId, identity: 'mallory', leafIndex: other.leafIndex, words }
    expect(await client.request('remove', request)).toMatchObject({ code: 'presence-invalid' })
    const garbled = { ...request, leafIndex: host.leafIndex, words: utf8('words') }
    expect(await client.request('remove', garbled)).toMatchObject({ code: 'message-invalid' })
    expect(await host.resume()).toMatchObject({ head: host.seen })
  })
})
