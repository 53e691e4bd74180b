import { type Bytes, decode, encode, utf8 } from '@conclave/core/codec'
import { type GroupInfo, MlsMessage, WireFormat } from '@conclave/core/wire'
import { generateRemovalSigner } from '@conclave/keyserver'
import { beforeEach, describe, expect, test } from 'vitest'
import { TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

function withGroupInfo(encoded: Bytes, change: (groupInfo: GroupInfo) => GroupInfo): Bytes {
  const message = decode(MlsMessage, encoded)
  if (message.wireFormat !== WireFormat.groupInfo) throw new Error('not a GroupInfo')
  return encode(MlsMessage, { ...message, groupInfo: change(message.groupInfo) })
}

describe('founding a meeting’s group', () => {
  let server: TestServer
  beforeEach(async () => {
    server = await TestServer.start()
  })

  test('of several who found at once one wins, and the others join its group', async () => {
    const people = await Promise.all(
      ['alice', 'bob', 'carol'].map((identity) => TestMember.arrive(server, identity)),
    )
    const foundings = await Promise.all(people.map((member) => member.prepareFounding()))
    const replies = await Promise.all(
      people.map((member, i) =>
        member.client.request('create', foundings[i] as (typeof foundings)[0]),
      ),
    )
    const winners = people.filter((_, i) => replies[i]?.ok)
    expect(winners).toHaveLength(1)
    const [winner] = winners as [TestMember]
    for (const reply of replies) {
      if (reply.ok) expect(reply).toEqual({ ok: true, seq: 0, durable: false })
      else {
        expect(reply).toMatchObject({
          code: 'meeting-exists',
          group: { groupId: winner.groupId, epoch: 0, head: 0 },
        })
      }
    }

    await winner.take()
    const losers = people.filter((member) => member !== winner)
    const [loser] = losers as [TestMember]
    const { bundle, encoded } = await loser.keyPackage()
    await loser.client.ask('wait', { groupId: winner.groupId, keyPackage: encoded })
    await winner.admit(1)
    await loser.join(bundle)
    expect(loser.group.epochAuthenticator).toEqual(winner.group.epochAuthenticator)
  })

  test('whoever enters is told the group, or that there is none', async () => {
    const alice = await TestMember.found(server, 'alice')
    expect(alice.entered.group).toBeNull()
    await alice.commit()
    const bob = await TestMember.arrive(server, 'bob')
    expect(bob.summary).toEqual({ groupId: alice.groupId, epoch: 1, head: 1 })
    expect(bob.entered.nonce).not.toEqual(alice.entered.nonce)
  })

  test('a founding that is sent again is acknowledged again', async () => {
    const alice = await TestMember.arrive(server, 'alice')
    const founding = await alice.prepareFounding()
    await alice.client.ask('create', founding)
    await alice.take()
    const seq = await alice.commit()
    expect(await alice.client.ask('create', founding)).toMatchObject({ seq: 0 })
    const { groupId } = alice
    const { head } = await alice.client.ask('resume', { groupId, after: 0 })
    expect(head).toBe(seq)
  })

  test('meetings have nothing to do with each other', async () => {
    const alice = await TestMember.found(server, 'alice', 'standup')
    const bob = await TestMember.found(server, 'bob', 'retro')
    const { groupId } = alice
    expect(await bob.client.request('resume', { groupId, after: 0 })).toMatchObject({
      code: 'group-unknown',
    })
    const { upload } = await alice.prepareCommit()
    expect(await bob.client.request('commit', upload)).toMatchObject({ code: 'group-unknown' })
    expect(await alice.client.request('commit', upload)).toMatchObject({ ok: true, seq: 1 })
  })

  test('the keyserver has room for so many groups and no more', async () => {
    const small = await TestServer.start({ limits: { groups: 1 } })
    await TestMember.found(small, 'alice', 'standup')
    const bob = await TestMember.arrive(small, 'bob', 'retro')
    const founding = await bob.prepareFounding()
    expect(await bob.client.request('create', founding)).toMatchObject({ code: 'rate-limited' })
  })

  describe('is refused', () => {
    let alice: TestMember
    beforeEach(async () => {
      alice = await TestMember.arrive(server, 'alice')
    })
    const refusal = async (founding: { groupInfo: Bytes; ratchetTree: Bytes }) => {
      const reply = await alice.client.request('create', founding)
      expect(reply).toMatchObject({ ok: false, code: 'message-invalid' })
      const bob = await TestMember.arrive(server, 'bob')
      expect(bob.entered.group).toBeNull()
      return reply.ok ? undefined : reply.detail
    }

    test('without a GroupInfo', async () => {
      const founding = await alice.prepareFounding()
      expect(await refusal({ ...founding, groupInfo: utf8('?') })).toBe('codec-truncated')
      const { encoded } = await alice.keyPackage()
      expect(await refusal({ ...founding, groupInfo: encoded })).toBe('message-kind-unexpected')
    })

    test('with another group’s tree', async () => {
      const { groupInfo } = await alice.prepareFounding()
      const { ratchetTree } = await alice.prepareFounding()
      expect(await refusal({ groupInfo, ratchetTree })).toBe('tree-hash-mismatch')
    })

    test('with a GroupInfo that was changed', async () => {
      const founding = await alice.prepareFounding()
      const groupInfo = withGroupInfo(founding.groupInfo, (info) => ({
        ...info,
        confirmationTag: info.confirmationTag.map((byte) => byte ^ 1),
      }))
      expect(await refusal({ ...founding, groupInfo })).toBe('group-info-signature-invalid')
    })

    test('for another meeting', async () => {
      const mallory = await TestMember.arrive(server, 'mallory', 'retro')
      expect(await refusal(await mallory.prepareFounding())).toBe('meeting-terms-differ')
    })

    test('with another external sender', async () => {
      const { externalSender } = await generateRemovalSigner(globalThis.crypto.subtle)
      const founding = await alice.prepareFounding({ externalSender })
      expect(await refusal(founding)).toBe('group-conventions-violated')
    })

    test('with a group_id that is not 16 bytes long', async () => {
      const founding = await alice.prepareFounding({ groupId: utf8('short') })
      expect(await refusal(founding)).toBe('founding-invalid')
    })

    test('in a later epoch than the first', async () => {
      await alice.prepareFounding()
      const { pending } = await alice.prepareCommit()
      alice.confirm(pending, 1)
      const founding = await alice.foundingOf()
      expect(await refusal(founding)).toBe('founding-invalid')
    })
  })
})
