import { emptyBytes } from '@conclave/core/codec'
import { verifyRemovalRequest } from '@conclave/core/delivery'
import type { LeafIndex } from '@conclave/core/wire'
import { removalIn, wordsOf } from '../../../keyserver/test/support/removalWords.ts'
import type { TestMember } from '../../../keyserver/test/support/testMember.ts'
import { type Check, has, same } from '../check.ts'
import type { Site } from '../site.ts'

/** The member goes on over a connection whose token lets it remove others. */
async function promote(site: Site, member: TestMember): Promise<void> {
  const { identity } = member
  const { meetingId } = site
  const grants = { join: true, remove: true }
  const token = await site.target.token({ identity, meeting: meetingId, grants })
  const client = await site.connectWith({ token })
  const entered = await client.enter(meetingId)
  if (!entered.ok) throw new Error(`enter: ${entered.code}`)
  member.client.disconnect()
  Object.assign(member, { client, entered })
  await member.take()
}

/** alice, bob and two devices of mallory's. */
async function withMallory(site: Site): Promise<[TestMember, TestMember, string]> {
  const [alice, bob] = await site.pair()
  const first = await site.admit([alice, bob], 'mallory')
  await site.admit([alice, bob, first], 'mallory')
  return [alice, bob, first.identity]
}

const malloryLeaves = [2, 3]

export const hostRemovals: readonly Check[] = [
  {
    id: 'remove.person',
    promise: 'all leaves of a person are proposed for removal, with the word of who asked for it',
    section: 'Removal by a host (1.3)',
    needs: 'secret',
    run: async (site) => {
      const [alice, bob, identity] = await withMallory(site)
      await promote(site, alice)
      const { groupId, leafIndex, seen } = alice
      const words = await wordsOf(alice, malloryLeaves)
      const asked = { groupId, identity, leafIndex, words }
      same('the reply', await alice.client.request('remove', asked), {
        ok: true,
        leaves: malloryLeaves,
      })
      const { crypto, tree } = bob.group.public
      const keyOf = (leaf: LeafIndex) => tree.leafNode(leaf)?.signatureKey ?? emptyBytes
      for (const seq of [seen + 1, seen + 2]) {
        const { entry } = await bob.client.notice('entry', (notice) => notice.entry.seq === seq)
        const { leaf, envelope } = removalIn(entry)
        same('the leaf', leaf, malloryLeaves[seq - seen - 1])
        same('the reason', envelope?.reason, 'removed')
        const { requester } = envelope ?? {}
        same('who asked', requester?.leafIndex, leafIndex)
        const claim = { groupId, signatureKey: keyOf(leaf) }
        const signature = requester?.signature ?? emptyBytes
        const isSigned = await verifyRemovalRequest(crypto, keyOf(leafIndex), claim, signature)
        same('whether that is signed', isSigned, true)
      }
      await bob.receiveUpTo(seen + 2)
      await bob.commit()
      same('the members', bob.group.members.length, 2)
    },
  },
  {
    id: 'remove.grant',
    promise: 'nobody is removed at the word of somebody whose token does not grant it',
    section: 'Removal by a host (1.3)',
    needs: 'people',
    run: async (site) => {
      const [, bob, identity] = await withMallory(site)
      const { groupId, leafIndex, seen } = bob
      const words = await wordsOf(bob, malloryLeaves)
      const asked = { groupId, identity, leafIndex, words }
      has('the request', await bob.client.request('remove', asked), {
        ok: false,
        code: 'not-permitted',
        detail: 'token-grant-missing',
      })
      same('the head', (await bob.resume()).head, seen)
    },
  },
  {
    id: 'remove.speaks',
    promise: 'nobody is removed at the word of a leaf that the connection does not speak for',
    section: 'Removal by a host (1.3)',
    needs: 'secret',
    run: async (site) => {
      const [alice, bob, identity] = await withMallory(site)
      await promote(site, alice)
      const { groupId, seen } = alice
      const words = await wordsOf(bob, malloryLeaves)
      const asked = { groupId, identity, leafIndex: bob.leafIndex, words }
      has('the request', await alice.client.request('remove', asked), {
        ok: false,
        code: 'presence-invalid',
      })
      same('the head', (await alice.resume()).head, seen)
    },
  },
]
