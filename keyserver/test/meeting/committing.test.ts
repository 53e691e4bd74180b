import { decode, encode, utf8 } from '@conclave/core/codec'
import { maxAddsPerCommit } from '@conclave/core/meeting'
import { type CommitContent, MlsMessage, WireFormat } from '@conclave/core/wire'
import { beforeEach, describe, expect, test } from 'vitest'
import {
  admitted,
  commitIn,
  meetingOf,
  publicMessageOf,
  TestMember,
  type Upload,
} from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

describe('committing', () => {
  let server: TestServer
  let alice: TestMember
  let bob: TestMember
  beforeEach(async () => {
    server = await TestServer.start()
    const members = await meetingOf(server, 'alice', 'bob')
    ;[alice, bob] = members as [TestMember, TestMember]
  })
  const commitOf = (member: TestMember, upload: Upload) => member.client.request('commit', upload)

  test('one commit ends an epoch; the loser gets the entries it missed and tries again', async () => {
    const [first, second] = await Promise.all([alice.prepareCommit(), bob.prepareCommit()])
    const before = alice.seen
    const [won, lost] = [await commitOf(alice, first.upload), await commitOf(bob, second.upload)]
    expect(won).toEqual({ ok: true, seq: before + 1, durable: false })
    expect(lost).toMatchObject({ ok: false, code: 'epoch-mismatch' })
    if (!won.ok || lost.ok) throw new Error('expected one of each')
    alice.confirm(first.pending, won.seq)

    expect(lost.missed).toEqual([{ seq: before + 1, message: first.upload.message }])
    second.pending.discard()
    await bob.receive(lost.missed ?? [])
    const seq = await bob.commit()
    await alice.receiveUpTo(seq)
    expect(alice.group.epochAuthenticator).toEqual(bob.group.epochAuthenticator)
  })

  test('of commits that arrive together exactly one wins', async () => {
    const uploads = await Promise.all([alice.prepareCommit(), bob.prepareCommit()])
    const replies = await Promise.all([
      commitOf(alice, uploads[0].upload),
      commitOf(bob, uploads[1].upload),
    ])
    expect(replies.map((reply) => (reply.ok ? 'won' : reply.code)).sort()).toEqual([
      'epoch-mismatch',
      'won',
    ])
  })

  test("another group's commit is refused and ends nothing", async () => {
    const stranger = await TestMember.found(server, 'mallory', 'elsewhere')
    const { upload } = await stranger.prepareCommit()
    expect(await commitOf(bob, { ...upload, groupId: bob.groupId })).toMatchObject({
      ok: false,
      code: 'group-unknown',
    })
    const seq = await bob.commit()
    await alice.receiveUpTo(seq)
    for (const { client } of [alice, bob]) expect(client.notices.closed).toEqual([])
  })

  test('a commit that won is acknowledged again, and stands in the log once', async () => {
    const { pending, upload } = await alice.prepareCommit()
    const first = await commitOf(alice, upload)
    expect(await commitOf(alice, upload)).toEqual(first)
    if (!first.ok) throw new Error(first.code)
    alice.confirm(pending, first.seq)
    await bob.receiveUpTo(first.seq)
    await bob.commit()
    expect(await commitOf(alice, upload)).toEqual(first)
    const { groupId } = alice
    const { head } = await alice.client.ask('resume', { groupId, after: 0 })
    expect(head).toBe(first.seq + 1)
  })

  test('a commit for an epoch that is not there yet is refused without entries', async () => {
    const { pending } = await alice.prepareCommit()
    alice.confirm(pending, alice.seen)
    const { upload } = await alice.prepareCommit()
    expect(await commitOf(alice, upload)).toMatchObject({ code: 'epoch-mismatch', missed: [] })
  })

  test('a proposal is ordered once, however often it is sent', async () => {
    const message = await bob.group.proposeSelfRemove()
    const { groupId } = bob
    const first = await bob.client.request('propose', { groupId, message })
    expect(first).toEqual({ ok: true, seq: bob.seen + 1, durable: false })
    expect(await bob.client.request('propose', { groupId, message })).toEqual(first)
  })

  test('a proposal with another membership tag is the same proposal', async () => {
    const message = await bob.group.proposeSelfRemove()
    const { groupId } = bob
    const first = await bob.client.ask('propose', { groupId, message })
    // The tag is the last thing in the message, and only members can check it.
    const retagged = message.map((byte, at) => (at === message.length - 1 ? byte ^ 1 : byte))
    expect(await bob.client.request('propose', { groupId, message: retagged })).toEqual(first)
    expect(await alice.resume()).toMatchObject({ head: first.seq })
  })

  test('a proposal of an epoch that is over, or not there yet, is refused as that', async () => {
    const { groupId } = bob
    const late = await bob.group.proposeSelfRemove()
    const seq = await alice.commit()
    const mismatch = { ok: false, code: 'epoch-mismatch' }
    // Of a connection that speaks for another leaf it is no goodbye either.
    expect(await alice.client.request('propose', { groupId, message: late })).toMatchObject(
      mismatch,
    )
    await bob.receiveUpTo(seq)
    const { pending } = await bob.prepareCommit()
    bob.confirm(pending, bob.seen)
    const early = await bob.group.proposeSelfRemove()
    expect(await bob.client.request('propose', { groupId, message: early })).toMatchObject(mismatch)
  })

  test('a member has so many proposals in an epoch and no more', async () => {
    const { groupId } = bob
    const propose = async (text: string) => {
      const message = await bob.group.propose(
        { proposalType: 10 },
        { authenticatedData: utf8(text) },
      )
      return await bob.client.request('propose', { groupId, message })
    }
    for (let i = 0; i < 16; i++) expect(await propose(`${i}`)).toMatchObject({ ok: true })
    expect(await propose('one more')).toMatchObject({
      code: 'message-invalid',
      detail: 'proposals-too-many',
    })
  })

  describe('is refused', () => {
    /** The rule that the keyserver says is broken, once it is clear that nobody saw the message. */
    const brokenRule = async (upload: Upload) => {
      const reply = await commitOf(alice, upload)
      expect(reply).toMatchObject({ ok: false, code: 'message-invalid' })
      const seq = await bob.commit()
      await alice.receiveUpTo(seq)
      expect(alice.group.epochAuthenticator).toEqual(bob.group.epochAuthenticator)
      return reply.ok ? undefined : reply.detail
    }
    /** A commit that was changed after it had been signed. */
    const changed = async (change: (commit: CommitContent) => CommitContent) => {
      const { upload } = await alice.prepareCommit()
      const { publicMessage, content } = commitIn(upload.message)
      return {
        ...upload,
        message: publicMessageOf({ ...publicMessage, content: change(content) }),
      }
    }
    /** A commit that was made wrong. */
    const forged = async (change: (commit: CommitContent['commit']) => CommitContent['commit']) => {
      const { upload } = await alice.prepareCommit()
      return await alice.forge(upload, (content) => ({
        ...content,
        commit: change(content.commit),
      }))
    }

    test('when it is no MLSMessage', async () => {
      const { upload } = await alice.prepareCommit()
      expect(await brokenRule({ ...upload, message: utf8('a commit') })).toBe('codec-unknown-case')
    })

    test('when it is no commit', async () => {
      const { upload } = await alice.prepareCommit()
      const message = await alice.group.proposeSelfRemove()
      expect(await brokenRule({ ...upload, message })).toBe('message-kind-unexpected')
    })

    test('when its signature is wrong', async () => {
      const upload = await changed((commit) => ({
        ...commit,
        authenticatedData: alice.envelope(alice.seen - 1),
      }))
      expect(await brokenRule(upload)).toBe('message-signature-invalid')
    })

    test('when it claims to be another member’s', async () => {
      const upload = await changed((commit) => ({
        ...commit,
        sender: { senderType: 1, leafIndex: bob.leafIndex },
      }))
      expect(await brokenRule(upload)).toBe('message-signature-invalid')
    })

    test('when its path does not fit the tree', async () => {
      const upload = await forged(({ proposals, path }) => ({
        proposals,
        path: path && {
          ...path,
          nodes: path.nodes.map((node) => ({
            ...node,
            encryptionKey: node.encryptionKey.map((byte) => byte ^ 1),
          })),
        },
      }))
      expect(await brokenRule(upload)).toBe('commit-path-parent-hash-wrong')
    })

    test('when it has no path', async () => {
      const upload = await forged(({ proposals }) => ({ proposals, path: undefined }))
      expect(await brokenRule(upload)).toBe('commit-path-missing')
    })

    test('when it removes a member on its sender’s own authority', async () => {
      const upload = await forged(({ path }) => ({
        proposals: [{ type: 1, proposal: { proposalType: 3, removed: bob.leafIndex } }],
        path,
      }))
      expect(await brokenRule(upload)).toBe('proposal-not-authorised')
    })

    test('when it adds more than one commit may', async () => {
      const carol = await TestMember.arrive(server, 'carol')
      const { keyPackage } = (await carol.keyPackage()).bundle
      const addsOf = async (count: number) =>
        await forged(({ path }) => ({
          proposals: new Array(count).fill({ type: 1, proposal: { proposalType: 1, keyPackage } }),
          path,
        }))
      expect(await brokenRule(await addsOf(maxAddsPerCommit))).toBe('proposals-same-client-twice')
      expect(await brokenRule(await addsOf(maxAddsPerCommit + 1))).toBe('proposals-too-many')
    })

    test('when its GroupInfo is of another tree', async () => {
      const [{ upload }, other] = [await alice.prepareCommit(), await alice.prepareCommit()]
      const { groupInfo } = other.upload
      expect(await brokenRule({ ...upload, groupInfo })).toBe('group-info-context-mismatch')
    })

    test('when its GroupInfo is signed by nobody in the group', async () => {
      const { upload } = await alice.prepareCommit()
      const message = decode(MlsMessage, upload.groupInfo)
      if (message.wireFormat !== WireFormat.groupInfo) throw new Error('not a GroupInfo')
      const groupInfo = encode(MlsMessage, {
        ...message,
        groupInfo: { ...message.groupInfo, signer: bob.leafIndex },
      })
      expect(await brokenRule({ ...upload, groupInfo })).toBe('group-info-signature-invalid')
    })

    test('when it adds somebody without a Welcome', async () => {
      const carol = await TestMember.arrive(server, 'carol')
      const { bundle } = await carol.keyPackage()
      const { keyPackage } = bundle
      const { upload } = await alice.prepareCommit([{ proposalType: 1, keyPackage }])
      expect(upload.welcome).not.toBeNull()
      expect(await brokenRule({ ...upload, welcome: null })).toBe('welcome-incomplete')
    })

    test('when its Welcome is for somebody else', async () => {
      const carol = await TestMember.arrive(server, 'carol')
      const [one, other] = [await carol.keyPackage(), await carol.keyPackage()]
      const uploads = [one, other].map(async ({ bundle: { keyPackage } }) =>
        alice.prepareCommit([{ proposalType: 1, keyPackage }]),
      )
      const [first, second] = await Promise.all(uploads)
      if (first === undefined || second === undefined) throw new Error('two uploads')
      const { welcome } = second.upload
      expect(await brokenRule({ ...first.upload, welcome })).toBe('welcome-incomplete')
    })

    test('when it does not say what its sender has seen', async () => {
      const { upload } = await alice.prepareCommit([], utf8('everything'))
      expect(await brokenRule(upload)).toBe('commit-envelope-invalid')
    })

    test('when it claims to have seen what is not there yet', async () => {
      const { upload } = await alice.prepareCommit([], alice.envelope(alice.seen + 1))
      expect(await brokenRule(upload)).toBe('commit-envelope-invalid')
    })
  })

  describe('cannot stall a removal', () => {
    let carol: TestMember
    beforeEach(async () => {
      carol = await admitted(server, [alice, bob], 'carol')
    })

    test('by leaving out one that it had seen', async () => {
      const removal = await carol.leaveGroup()
      const { upload } = await alice.prepareCommit([], alice.envelope(removal))
      expect(await commitOf(alice, upload)).toMatchObject({
        code: 'message-invalid',
        detail: 'commit-omits-removal',
      })
    })

    test('by missing it twice: it is proposed again, and then has to be taken', async () => {
      const removal = await carol.leaveGroup()
      // It crossed Alice's commit on its way: that is nobody's fault.
      const { pending, upload } = await alice.prepareCommit()
      const won = await commitOf(alice, upload)
      expect(won).toMatchObject({ ok: true, seq: removal + 1 })
      alice.confirm(pending, removal + 1)

      const next = await alice.prepareCommit()
      const lost = await commitOf(alice, next.upload)
      expect(lost).toMatchObject({
        code: 'message-invalid',
        detail: 'commit-lags',
        missed: [{ seq: removal + 2 }],
      })
      if (lost.ok) throw new Error('it lags')
      next.pending.discard()
      await alice.receive(lost.missed ?? [])
      const seq = await alice.commit()
      await bob.receiveUpTo(seq)
      expect(bob.group.members.map(({ leafIndex }) => leafIndex)).toEqual([0, 1])
    })

    test('by committing on the way out', async () => {
      const removal = await carol.leaveGroup()
      await carol.receiveUpTo(removal)
      const { upload } = await carol.prepareCommit()
      expect(await commitOf(carol, upload)).toMatchObject({
        code: 'message-invalid',
        detail: 'committer-pending-removal',
      })
    })

    test('by proposing a removal that nobody may commit', async () => {
      const { groupId } = bob
      const message = await bob.group.propose({ proposalType: 3, removed: carol.leafIndex })
      expect(await bob.client.request('propose', { groupId, message })).toMatchObject({
        code: 'message-invalid',
        detail: 'proposal-not-authorised',
      })
      await alice.commit()
    })
  })
})
