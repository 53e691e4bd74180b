import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { externalCommitWaitMs } from '../../src/limits.ts'
import { eventually } from '../support/eventually.ts'
import { meetingOf, TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

describe('an external commit', () => {
  let clock: VirtualClock
  let server: TestServer
  let alice: TestMember
  beforeEach(async () => {
    clock = new VirtualClock()
    server = await TestServer.start({ clock })
    ;[alice] = (await meetingOf(server, 'alice', 'bob')) as [TestMember, TestMember]
  })

  /** Sent, and received by the keyserver. */
  const send = async (member: TestMember, upload: Parameters<typeof member.forge>[0]) => {
    const sent = { reply: undefined as Awaited<ReturnType<typeof asked>> | undefined }
    const asked = () => member.client.request('commit', upload)
    void asked().then((reply) => {
      sent.reply = reply
    })
    await member.client.ask('groupInfo', { groupId: upload.groupId })
    return sent
  }
  const settled = (sent: Awaited<ReturnType<typeof send>>) =>
    eventually('the reply', () => sent.reply)

  test('waits for members to commit a removal, and is too late then', async () => {
    await server.keyserver.administration.remove('standup', { identity: 'bob' })
    const carol = await TestMember.arrive(server, 'carol')
    const sent = await send(carol, (await carol.prepareExternalCommit()).upload)
    await alice.resume()
    await alice.commit()
    expect(alice.group.members).toHaveLength(1)
    expect(await settled(sent)).toMatchObject({ code: 'epoch-mismatch' })
  })

  test('passes after two seconds, and no other directly behind it', async () => {
    await server.keyserver.administration.remove('standup', { identity: 'bob' })
    const [carol, dave] = [
      await TestMember.arrive(server, 'carol'),
      await TestMember.arrive(server, 'dave'),
    ]
    const first = await carol.prepareExternalCommit()
    const second = await dave.prepareExternalCommitAfter(first)
    const sent = [await send(carol, first.upload), await send(dave, second.upload)] as const
    clock.advance(externalCommitWaitMs)
    expect(await settled(sent[0])).toMatchObject({ ok: true })
    expect(await settled(sent[1])).toMatchObject({ code: 'epoch-mismatch' })
    const again = await send(dave, second.upload)
    await alice.resume()
    await alice.commit()
    expect(alice.group.members.map(({ leafIndex }) => leafIndex)).toEqual([0, 2])
    expect(await settled(again)).toMatchObject({ code: 'epoch-mismatch' })
  })
})
