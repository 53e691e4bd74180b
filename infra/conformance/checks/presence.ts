import type { Bytes } from '@conclave/core/codec'
import { presenceLabel, presenceTbs } from '@conclave/core/delivery'
import { eventually } from '../../../keyserver/test/support/eventually.ts'
import type { TestMember } from '../../../keyserver/test/support/testMember.ts'
import { type Check, has, same } from '../check.ts'
import type { Site } from '../site.ts'

/** Waits for the notice that these leaves are connected; answers to `resume` say the same then. */
async function isTold(site: Site, member: TestMember, leaves: readonly number[]): Promise<void> {
  const { client, groupId, seen: after } = member
  const told = () => `${client.notices.present.at(-1)?.leaves}` === `${leaves}`
  await eventually(`the news that leaves [${leaves}] are connected`, told, site.patienceMs)
  const { present } = await client.ask('resume', { groupId, after })
  same('who is present', present, leaves)
}

async function attach(
  member: TestMember,
  leafIndex: number,
  signed: { readonly leaf?: number; readonly nonce?: Bytes } = {},
) {
  const { groupId, entered, client } = member
  const content = presenceTbs(groupId, signed.leaf ?? leafIndex, signed.nonce ?? entered.nonce)
  const signature = await member.group.sign(presenceLabel, content)
  return await client.request('attach', { groupId, leafIndex, signature })
}

export const presence: readonly Check[] = [
  {
    id: 'present.told',
    promise: 'everybody is told which leaves are connected, whenever that changes',
    section: 'Notices',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      await isTold(site, alice, [0, 1])
      bob.client.disconnect()
      await isTold(site, alice, [0])
      await bob.reconnect()
      await isTold(site, alice, [0, 1])
    },
  },
  {
    id: 'attach.proven',
    promise: 'a connection speaks for a leaf only with that leaf’s signature over its own nonce',
    section: 'Requests',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      await isTold(site, alice, [0, 1])
      bob.client.disconnect()
      await isTold(site, alice, [0])
      const again = await site.connect(site.identity('bob'))
      const entered = await again.enter(site.meetingId)
      if (!entered.ok) throw new Error(entered.code)
      Object.assign(bob, { client: again, entered })
      const refusal = { ok: false, code: 'presence-invalid' }
      const own = bob.leafIndex
      has('another leaf', await attach(bob, alice.leafIndex), refusal)
      has('another leaf’s word', await attach(bob, alice.leafIndex, { leaf: own }), refusal)
      const { nonce } = alice.entered
      has('another connection’s nonce', await attach(bob, own, { nonce }), refusal)
      has('a leaf that is not there', await attach(bob, 7), refusal)
      await isTold(site, alice, [0])
      same('the own leaf', await attach(bob, own), { ok: true, head: bob.seen })
      await isTold(site, alice, [0, 1])
    },
  },
  {
    id: 'present.returns',
    promise: 'who comes back within the grace period is left alone',
    section: 'Presence',
    waitsForGrace: true,
    run: async (site) => {
      const [alice, bob] = await site.pair()
      await isTold(site, alice, [0, 1])
      bob.client.disconnect()
      await isTold(site, alice, [0])
      await bob.reconnect()
      await isTold(site, alice, [0, 1])
      await new Promise((resolve) => setTimeout(resolve, site.target.graceMs * 1.2))
      same('the head', (await alice.resume()).head, alice.seen)
      await alice.receiveUpTo(await bob.commit())
    },
  },
  {
    id: 'group.deserted',
    promise:
      'a group in which nobody has been for the grace period is closed, and the next one is founded anew',
    section: 'Presence',
    waitsForGrace: true,
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const carol = await site.arrive('carol')
      const { groupId } = alice
      alice.client.disconnect()
      bob.client.disconnect()
      same('the notice', await carol.client.notice('closed'), { groupId, reason: 'empty' })
      const entered = await carol.client.enter(site.meetingId)
      has('entering again', entered, { ok: true, group: null })
      const before = carol.entered.nonce
      if (entered.ok) same('a new nonce', Buffer.compare(entered.nonce, before) === 0, false)
      const founding = await carol.prepareFounding()
      has('founding', await carol.client.request('create', founding), { ok: true, seq: 0 })
    },
  },
  {
    id: 'group.left',
    promise: 'a group ends at once when all who are in it leave',
    section: 'Presence',
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const carol = await site.arrive('carol')
      const { groupId } = alice
      await alice.leaveGroup()
      await bob.leaveGroup()
      same('the notice', await carol.client.notice('closed'), { groupId, reason: 'empty' })
      const reply = await bob.client.request('resume', { groupId, after: 0 })
      has('reading its log', reply, { ok: false, code: 'not-entered' })
    },
  },
]
