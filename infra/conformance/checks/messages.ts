import { utf8 } from '@conclave/core/codec'
import type { TestMember } from '../../../keyserver/test/support/testMember.ts'
import { type Check, has, same } from '../check.ts'

const section = 'Application messages (1.2)'

const words = (member: TestMember, text: string) => member.group.protect(utf8(text))

function send({ client, groupId }: TestMember, message: Uint8Array<ArrayBuffer>) {
  return client.request('send', { groupId, message })
}

export const messages: readonly Check[] = [
  {
    id: 'message.passed',
    promise: 'an application message goes to all others as it is, and not into the log',
    section,
    run: async (site) => {
      const [alice, bob, carol] = await site.trio()
      const { groupId } = alice
      const message = await words(alice, 'hello')
      same('the answer', await send(alice, message), { ok: true })
      for (const member of [bob, carol]) {
        same('the message', await member.client.notice('message'), { groupId, message })
        const read = await member.group.receive(message)
        same('what has been read', read.kind, 'application')
      }
      same('the head', (await carol.resume()).head, carol.seen)
      same('what the sender got', alice.client.notices.message, [])
    },
  },
  {
    id: 'message.order',
    promise: 'messages of one connection come in the order in which they were sent',
    section,
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const sent = []
      for (const text of ['one', 'two', 'three']) sent.push(await words(alice, text))
      for (const message of sent) await send(alice, message)
      await bob.client.notice('message', () => bob.client.notices.message.length === sent.length)
      same(
        'the messages',
        bob.client.notices.message.map(({ message }) => message),
        sent,
      )
    },
  },
  {
    id: 'message.epoch',
    promise: 'a message is of the current epoch or of the one before',
    section,
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const [old, late] = [await words(bob, 'old'), await words(bob, 'late')]
      await bob.receiveUpTo(await alice.commit())
      same('of the epoch before', await send(bob, late), { ok: true })
      const recent = await words(bob, 'recent')
      await bob.receiveUpTo(await alice.commit())
      has('of an earlier epoch', await send(bob, old), { ok: false, code: 'epoch-mismatch' })
      same('of the epoch before', await send(bob, recent), { ok: true })
    },
  },
  {
    id: 'message.members',
    promise: 'only a connection that speaks for a leaf is heard',
    section,
    run: async (site) => {
      const [alice, bob, carol] = await site.trio()
      const refused = { ok: false, code: 'presence-invalid' }
      const stranger = await site.entered('stranger')
      const { groupId } = alice
      const stolen = { groupId, message: await words(alice, 'hello') }
      has('of a stranger', await stranger.request('send', stolen), refused)
      const parting = await words(carol, 'parting')
      const message = await carol.group.proposeSelfRemove()
      const { seq } = await carol.client.ask('propose', { groupId, message })
      await alice.receiveUpTo(seq)
      await bob.receiveUpTo(await alice.commit())
      has('of one who was removed', await send(carol, parting), refused)
      same('the notices', bob.client.notices.message, [])
    },
  },
  {
    id: 'message.kind',
    promise: 'what is not an application message is not passed on',
    section,
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const refused = { ok: false, code: 'message-invalid' }
      const proposal = await alice.group.proposeSelfRemove()
      has('a proposal', await send(alice, proposal), {
        ...refused,
        detail: 'message-kind-unexpected',
      })
      has('no message', await send(alice, new Uint8Array(9)), refused)
      same('the notices', bob.client.notices.message, [])
    },
  },
]
