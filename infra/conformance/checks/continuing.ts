import {
  allOffer,
  follow,
  freeze,
  offerOf,
  prepareContinuation,
  proposeReInit,
  sendOffer,
} from '../../../keyserver/test/support/continuing.ts'
import type { TestMember } from '../../../keyserver/test/support/testMember.ts'
import { type Check, has, same } from '../check.ts'

const section = 'Continuing a group (1.4)'

const goOn = async (member: TestMember, founded: Parameters<TestMember['goOn']>[0]) => {
  member.goOn(founded)
  await member.take()
}

export const continuing: readonly Check[] = [
  {
    id: 'reinit.unready',
    promise: 'a ReInit is committed when every leaf has an offer, and else who has none is named',
    section,
    run: async (site) => {
      const members = await site.trio()
      const [alice, bob, carol] = members
      const seq = await proposeReInit(alice)
      for (const member of members) await member.receiveUpTo(seq)
      const { upload } = await bob.prepareCommit()
      await allOffer([alice, bob])
      const { client } = bob
      const unready = { ok: false, code: 'reinit-unready', leaves: [carol.leafIndex] }
      has('the commit', await client.request('commit', upload), unready)
      same('the head', (await alice.resume()).head, seq)
      const { encoded } = await offerOf(carol)
      same('the last offer', await sendOffer(carol, encoded), { ok: true, missing: [] })
      has('the same commit', await client.request('commit', upload), { ok: true, seq: seq + 1 })
    },
  },
  {
    id: 'reinit.offers',
    promise: 'offers are of the proposed suite and of the member that the connection speaks for',
    section,
    run: async (site) => {
      const [alice, bob] = await site.pair()
      const early = await sendOffer(bob, (await offerOf(bob)).encoded)
      has('without a ReInit', early, { ok: false, code: 'reinit-unknown' })
      await proposeReInit(alice)
      const offers = async (detail: string, keyPackage: typeof bob.groupId) =>
        has(`an offer with ${detail}`, await sendOffer(bob, keyPackage), {
          ok: false,
          code: 'key-package-invalid',
          detail,
        })
      await offers('offer-of-another-suite', (await offerOf(bob, { cipherSuite: 1 })).encoded)
      await offers('offer-of-another-device', (await offerOf(alice)).encoded)
      const carol = await site.arrive('carol')
      const { encoded: keyPackage } = await offerOf(bob)
      const { groupId } = bob
      has('for nobody', await carol.client.request('offer', { groupId, keyPackage }), {
        ok: false,
        code: 'presence-invalid',
      })
    },
  },
  {
    id: 'reinit.told',
    promise: 'everyone hears who has yet to offer',
    section,
    run: async (site) => {
      const [alice, bob] = await site.pair()
      await proposeReInit(alice)
      await allOffer([bob])
      const { groupId } = alice
      const isBob = ({ missing }: { readonly missing: readonly number[] }) =>
        `${missing}` === `${alice.leafIndex}`
      same('who has not', (await alice.client.notice('offered', isBob)).groupId, groupId)
    },
  },
  {
    id: 'continue.all',
    promise: 'the meeting goes on in the group that any member founds, by a Welcome for each',
    section,
    run: async (site) => {
      const members = await site.trio()
      const [alice, bob, carol] = members
      const { groupId } = alice
      const offered = await freeze(members)
      const { founded, upload } = await prepareContinuation(bob)
      has('the founder’s reply', await bob.client.request('continue', upload), { ok: true })
      const next = founded.groupId
      await goOn(bob, founded)
      for (const member of [alice, carol]) {
        same('the notice', await member.client.notice('continued'), { groupId, next })
        await follow(member, offered, next)
      }
      const seq = await carol.commit()
      await Promise.all([alice.receiveUpTo(seq), bob.receiveUpTo(seq)])
      same('the epoch secret', alice.group.epochAuthenticator, bob.group.epochAuthenticator)
      const dave = await site.arrive('dave')
      same('the group', dave.summary, { groupId: next, epoch: 2, head: seq })
    },
  },
  {
    id: 'continue.race',
    promise: 'of those who found the next group one wins, and the others are told which',
    section,
    run: async (site) => {
      const members = await site.trio()
      const offered = await freeze(members)
      const founders = await Promise.all(
        members.map(async (member) => ({ member, ...(await prepareContinuation(member)) })),
      )
      const outcomes = await Promise.all(
        founders.map(async (one) => ({
          ...one,
          reply: await one.member.client.request('continue', one.upload),
        })),
      )
      const [won, ...others] = outcomes.filter(({ reply }) => reply.ok)
      if (won === undefined) throw new Error('nobody has won')
      same('others that have won', others.length, 0)
      const { groupId } = won.founded
      for (const { member, reply } of outcomes.filter((one) => one !== won)) {
        const group = { groupId, epoch: 1, head: 0 }
        has('who has lost', reply, { ok: false, code: 'group-continued', group })
        await follow(member, offered, groupId)
      }
    },
  },
  {
    id: 'continue.again',
    promise: 'a continuation that won is acknowledged again',
    section,
    run: async (site) => {
      const members = await site.pair()
      await freeze(members)
      const [, bob] = members
      const { upload } = await prepareContinuation(bob)
      const first = await bob.client.request('continue', upload)
      has('the first reply', first, { ok: true })
      same('the second', await bob.client.request('continue', upload), first)
    },
  },
  {
    id: 'continue.checked',
    promise: 'nobody but a member founds the next group, and with everybody',
    section,
    run: async (site) => {
      const members = await site.trio()
      const [, bob, carol] = members
      await freeze(members)
      const { upload } = await prepareContinuation(carol)
      const invalid = { ok: false, code: 'message-invalid' }
      has('another’s', await bob.client.request('continue', upload), {
        ...invalid,
        detail: 'continuation-members-differ',
      })
      const unwelcoming = { ...upload, welcome: null }
      has('without a Welcome', await carol.client.request('continue', unwelcoming), invalid)
      const dave = await site.arrive('dave')
      has('an outsider’s', await dave.client.request('continue', upload), {
        ok: false,
        code: 'presence-invalid',
      })
      has('the group', (await site.arrive('erin')).summary, { groupId: carol.groupId })
    },
  },
  {
    id: 'continue.past',
    promise: 'the group before is known to have been continued, and what was missed of it is told',
    section,
    run: async (site) => {
      const members = await site.pair()
      const [alice, bob] = members
      const { groupId, seen: after } = alice
      await freeze(members)
      const { founded, upload } = await prepareContinuation(bob)
      await bob.client.ask('continue', upload)
      const reply = await alice.client.request('resume', { groupId, after })
      const group = { groupId: founded.groupId, epoch: 1, head: 0 }
      has('the reply', reply, { ok: false, code: 'group-continued', group })
      const missed = reply.ok ? [] : reply.missed?.map(({ seq }) => seq)
      same('what was missed', missed, [after + 1, after + 2])
    },
  },
]
