import { decode, encode } from '@conclave/core/codec'
import { GroupContext, MlsMessage, WireFormat } from '@conclave/core/wire'
import { type Check, has, same } from '../check.ts'

export const externalCommits: readonly Check[] = [
  {
    id: 'external.groupInfo',
    promise: 'the newest epoch’s GroupInfo is served, with the entry that began it',
    section: 'Requests',
    run: async (site) => {
      const [alice] = await site.pair()
      const seq = await alice.commit()
      const { groupId } = alice
      await alice.client.ask('propose', { groupId, message: await alice.group.proposeUpdate() })
      const bob = await site.arrive('dave')
      const served = await bob.client.ask('groupInfo', { groupId })
      same('the entry', served.seq, seq)
      const message = decode(MlsMessage, served.groupInfo)
      if (message.wireFormat !== WireFormat.groupInfo) throw new Error('not a GroupInfo')
      const { groupContext } = message.groupInfo
      const context = encode(GroupContext, alice.group.groupContext)
      same('the GroupContext', encode(GroupContext, groupContext), context)
    },
  },
  {
    id: 'external.join',
    promise: 'a newcomer enters by an external commit, and all members agree',
    section: 'Requests',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const carol = await site.arrive('carol')
      const seq = await carol.joinExternally()
      await carol.take()
      await Promise.all([alice.receiveUpTo(seq), bob.receiveUpTo(seq)])
      for (const { group } of [bob, carol]) {
        same('the epoch secret', group.epochAuthenticator, alice.group.epochAuthenticator)
      }
      const next = await bob.commit()
      await Promise.all([alice.receiveUpTo(next), carol.receiveUpTo(next)])
    },
  },
  {
    id: 'external.resync',
    promise: 'who has lost its state takes the place of its own leaf by an external commit',
    section: 'Requests',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const { leafIndex } = bob
      const again = await bob.client.ask('groupInfo', { groupId: bob.groupId })
      same('the GroupInfo’s entry', again.seq, bob.seen)
      bob.entered = { ...bob.entered, group: { groupId: bob.groupId, epoch: 1, head: bob.seen } }
      const seq = await bob.joinExternally()
      await bob.take()
      await alice.receiveUpTo(seq)
      same('the leaf', bob.leafIndex, leafIndex)
      same('the members', alice.group.members.length, 2)
      same('the epoch secret', bob.group.epochAuthenticator, alice.group.epochAuthenticator)
    },
  },
  {
    id: 'external.race',
    promise: 'of a member’s commit and external ones exactly one ends the epoch',
    section: 'Order',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const newcomers = await Promise.all(['carol', 'dave'].map((name) => site.arrive(name)))
      const commits = await Promise.all([
        alice.prepareCommit(),
        ...newcomers.map((newcomer) => newcomer.prepareExternalCommit()),
      ])
      const replies = await Promise.all(
        [alice, ...newcomers].map(({ client }, i) =>
          client.request('commit', (commits[i] as (typeof commits)[0]).upload),
        ),
      )
      const outcomes = replies.map((reply) => (reply.ok ? 'won' : reply.code)).sort()
      same('outcomes', outcomes, ['epoch-mismatch', 'epoch-mismatch', 'won'])
      await bob.receiveUpTo(bob.seen + 1)
      same('the head', (await bob.resume()).head, bob.seen)
    },
  },
  {
    id: 'external.removals',
    promise: 'an external commit waits for members to commit the removals that are pending',
    section: 'What is checked',
    waitsForGrace: true,
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const carol = await site.arrive('carol')
      bob.client.disconnect()
      await alice.receiveUpTo(alice.seen + 1)
      const { upload } = await carol.prepareExternalCommit()
      const late = carol.client.request('commit', upload)
      // Where the check fails before it comes to it.
      late.catch(() => {})
      // Its answer comes after the keyserver has seen the commit.
      const { groupId } = alice
      await carol.client.ask('groupInfo', { groupId })
      const seq = await alice.commit()
      has('the external commit', await late, { ok: false, code: 'epoch-mismatch' })
      same('the members', alice.group.members.length, 1)
      same('the head', (await alice.resume()).head, seq)
    },
  },
]
