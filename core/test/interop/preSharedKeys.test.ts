import { expect, it } from 'vitest'
import { ProposalType, PskType } from '../../src/wire/registry.ts'
import { pskId } from './member.ts'
import { committing, MixedGroup, plain, verdict } from './mixedGroup.ts'

/** RFC 9420 §8.4, §12.2: a nonce is part of a PreSharedKeyID, so that these are two. */
it.each(['alice', 'carol'] as const)(
  'a pre-shared key that two members have proposed %s commits twice, and both libraries follow',
  async (name) => {
    const group = await MixedGroup.of()
    const { mallory, alice, bob, carol } = group
    const members = [mallory, alice, bob, carol]
    for (const [i, proposer] of [mallory, bob].entries()) {
      const psk = { pskType: PskType.external, pskId, pskNonce: new Uint8Array(32).fill(i) }
      const message = await proposer.propose({ proposalType: ProposalType.psk, psk }, plain)
      for (const member of members) {
        if (member !== proposer) expect(await verdict(member, message)).toBe('proposal')
      }
    }
    const { message, confirm } = await group[name].commit(committing())
    for (const member of members) {
      if (member !== group[name]) expect(await verdict(member, message)).toBe('commit')
    }
    confirm()
    const views = await Promise.all(members.map((member) => member.view()))
    for (const view of views) expect(view).toEqual(views[0])
    expect(alice.group.public.proposals.size).toBe(0)
  },
)
