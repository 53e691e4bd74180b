import { decode, encode, utf8 } from '@conclave/core/codec'
import { ExternalSender, MlsMessage, WireFormat } from '@conclave/core/wire'
import { type Check, has, NotConforming, same } from '../check.ts'
import type { Site } from '../site.ts'

type Founding = { groupInfo: Uint8Array<ArrayBuffer>; ratchetTree: Uint8Array<ArrayBuffer> }

/** Refused, and the meeting still has no group. */
async function refused(site: Site, what: string, founding: Founding): Promise<void> {
  const client = await site.entered('alice')
  const reply = await client.request('create', founding)
  has(what, reply, { ok: false, code: 'message-invalid' })
  const after = await (await site.connect(site.identity('bob'))).enter(site.meetingId)
  has(`the meeting after ${what}`, after, { ok: true, group: null })
}

export const founding: readonly Check[] = [
  {
    id: 'create.race',
    promise:
      'of several who found a meeting’s group at once exactly one wins, and the others are told which',
    section: 'Requests',
    run: async (site) => {
      const names = ['alice', 'bob', 'carol', 'dave']
      const people = await Promise.all(names.map((name) => site.arrive(name)))
      const foundings = await Promise.all(people.map((person) => person.prepareFounding()))
      const replies = await Promise.all(
        people.map((person, i) => person.client.request('create', foundings[i] as Founding)),
      )
      const winner = people.filter((_, i) => replies[i]?.ok)
      same('winners', winner.length, 1)
      const groupId = winner[0]?.groupId
      for (const reply of replies) {
        if (reply.ok) same('the winner’s sequence number', reply.seq, 0)
        else {
          has('a loser', reply, { code: 'meeting-exists', group: { groupId, epoch: 0, head: 0 } })
        }
      }
    },
  },
  {
    id: 'create.again',
    promise: 'a founding that is sent again is acknowledged again and changes nothing',
    section: 'Requests',
    run: async (site) => {
      const alice = await site.arrive('alice')
      const founding = await alice.prepareFounding()
      const first = await alice.client.ask('create', founding)
      await alice.take()
      const seq = await alice.commit()
      same('the second answer', await alice.client.request('create', founding), first)
      const { groupId } = alice
      same('the head', (await alice.client.ask('resume', { groupId, after: 0 })).head, seq)
    },
  },
  {
    id: 'create.told',
    promise: 'whoever enters is told the meeting’s group, its epoch and its head',
    section: 'Requests',
    run: async (site) => {
      const alice = await site.found('alice')
      same('the group before', alice.entered.group, null)
      await alice.commit()
      const { groupId } = alice
      const bob = await site.arrive('bob')
      same('the group', bob.summary, { groupId, epoch: 1, head: 1 })
    },
  },
  {
    id: 'create.checked',
    promise: 'a group that breaks the conventions is refused, and founds nothing',
    section: 'What is checked',
    run: async (site) => {
      const alice = await site.arrive('alice')
      const founding = await alice.prepareFounding()
      await refused(site, 'no GroupInfo', { ...founding, groupInfo: utf8('?') })
      const { ratchetTree } = await alice.prepareFounding()
      await refused(site, 'another group’s tree', { ...founding, ratchetTree })
      const short = await alice.prepareFounding({ groupId: utf8('short') })
      await refused(site, 'a group_id of five bytes', short)
      const sender = decode(ExternalSender, alice.entered.externalSender)
      const signatureKey = sender.signatureKey.map((byte) => byte ^ 1)
      const externalSender = { ...sender, signatureKey }
      const foreign = await alice.prepareFounding({ externalSender })
      await refused(site, 'another external sender', foreign)
      const elsewhere = await site.arrive('alice', site.newMeeting())
      await refused(site, 'another meeting', await elsewhere.prepareFounding())
      await alice.prepareFounding()
      alice.confirm((await alice.prepareCommit()).pending, 1)
      await refused(site, 'epoch 1', await alice.foundingOf())
    },
  },
  {
    id: 'create.signature',
    promise: 'a founding GroupInfo that its signer did not sign is refused',
    section: 'What is checked',
    run: async (site) => {
      const alice = await site.arrive('alice')
      const founding = await alice.prepareFounding()
      const message = decode(MlsMessage, founding.groupInfo)
      if (message.wireFormat !== WireFormat.groupInfo) throw new Error('not a GroupInfo')
      const { groupInfo } = message
      const signature = groupInfo.signature.map((byte, at) => (at === 0 ? byte ^ 1 : byte))
      const forged = encode(MlsMessage, { ...message, groupInfo: { ...groupInfo, signature } })
      await refused(site, 'a forged signature', { ...founding, groupInfo: forged })
    },
  },
  {
    id: 'create.apart',
    promise: 'meetings have nothing to do with each other: a group is unknown in every other one',
    section: 'Requests',
    run: async (site) => {
      const alice = await site.found('alice')
      const mallory = await site.found('mallory', site.newMeeting())
      const { groupId } = alice
      const unknown = { ok: false, code: 'group-unknown' }
      const resumed = await mallory.client.request('resume', { groupId, after: 0 })
      has('reading another meeting’s log', resumed, unknown)
      const { treeHash } = alice.group.groupContext
      const tree = await mallory.client.request('tree', { groupId, treeHash })
      has('reading another meeting’s tree', tree, unknown)
      const { pending, upload } = await alice.prepareCommit()
      has('committing there', await mallory.client.request('commit', upload), unknown)
      const { seq } = await alice.client.ask('commit', upload)
      alice.confirm(pending, seq)
      await mallory.commit()
      await mallory.resume()
      const strays = mallory.client.notices.entry.filter(
        (notice) => Buffer.compare(notice.groupId, groupId) === 0,
      )
      if (strays.length > 0) throw new NotConforming('another meeting’s entries', 'none', strays)
    },
  },
]
