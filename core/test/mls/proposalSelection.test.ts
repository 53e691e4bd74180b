import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/codec/bytes.ts'
import { Group } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { ProposalType, SenderType } from '../../src/wire/registry.ts'
import { groupInfoIn, Party, publicMessageIn, remove, viewOf } from './party.ts'

/** Of the types that the people of a party say they support. */
const customType = 0x2a2a
const custom = { proposalType: ProposalType.custom, customType, proposalData: utf8('?') } as const
const reInit = {
  proposalType: ProposalType.reInit,
  groupId: utf8('next'),
  version: 1,
  cipherSuite: 1,
  extensions: [],
} as const

function partyOfThree(): Promise<Party> {
  const rules = { needsPath: false, senders: [SenderType.member], check: () => {} }
  return Party.of(['alice', 'bob', 'carol'], {
    policy: permissivePolicy,
    extensions: [],
    environment: { customProposals: new Map([[customType, rules]]) },
  })
}

/** The types of what everyone's next commit covers. */
async function committedBy(party: Party, name: string): Promise<readonly number[]> {
  const { effect } = await party.commit(name)
  return effect.proposals.all.map(({ proposal }) => proposal.proposalType)
}

describe('a proposal that came by itself', () => {
  it('is committed by whoever commits next, also where its type is custom', async () => {
    const party = await partyOfThree()
    await party.propose('bob', custom)
    expect(await committedBy(party, 'alice')).toEqual([ProposalType.custom])
  })

  it('reinitialises the group in a commit of its own', async () => {
    const party = await partyOfThree()
    await party.propose('bob', reInit)
    await party.propose('carol', reInit)
    expect(await committedBy(party, 'alice')).toEqual([ProposalType.reInit])
    for (const { group } of party.participants) expect(group.public.reInit).toMatchObject(reInit)
  })

  it('reinitialises the group in no commit that has something else to do (RFC 9420 §12.2)', async () => {
    const party = await partyOfThree()
    await party.propose('bob', reInit)
    await party.propose('bob', remove(party.leaf('carol')))
    expect(await committedBy(party, 'alice')).toEqual([ProposalType.remove])
    await party.propose('bob', reInit)
    const pending = await party.commit('alice', [custom])
    expect(pending.effect.proposals.all).toHaveLength(1)
    expect(party.group('bob').public.reInit).toBeUndefined()
  })
})

describe('who enters by an external commit', () => {
  it('lets those go that want to leave, each once, however often they say so', async () => {
    const party = await partyOfThree()
    const bob = party.group('bob')
    const messages = [
      await bob.proposeSelfRemove(),
      await bob.propose(
        { proposalType: ProposalType.selfRemove },
        { authenticatedData: utf8('again') },
      ),
    ]
    for (const message of messages) await party.deliver(message)
    const alice = party.group('alice')
    const { own } = await party.person('erin')
    const pending = await Group.joinExternally(party.environment, {
      groupInfo: groupInfoIn(await alice.groupInfo({ externalPub: true, ratchetTree: true })),
      own,
      selfRemoves: messages.map(publicMessageIn),
    })
    expect(pending.effect.removed).toEqual([bob.leafIndex])
    await party.deliver(pending.message)
    expect(viewOf(Group.enter(pending))).toEqual(viewOf(party.group('alice')))
  })
})
