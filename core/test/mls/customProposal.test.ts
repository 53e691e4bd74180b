import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/codec/bytes.ts'
import { type CustomProposalRules, MlsError, permissivePolicy } from '../../src/mls/public/index.ts'
import { ProposalType, SenderType } from '../../src/wire/registry.ts'
import { byReference, byValue, epochOf, forgeCommit, frameProposal } from './malformed.ts'
import { Party, remove } from './party.ts'
import { expectCommitRefused, expectRejected, refusal } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'mallory']

/** A type that the people of a party list. */
const customType = 0x2a2a
const proposal = {
  proposalType: ProposalType.custom,
  customType,
  proposalData: utf8('raise your hands'),
} as const

function partyWith(rules: Partial<CustomProposalRules> = {}): Promise<Party> {
  const all = { needsPath: false, senders: [SenderType.member], check: () => {}, ...rules }
  return Party.of(names, {
    policy: permissivePolicy,
    extensions: [],
    environment: { customProposals: new Map([[customType, all]]) },
  })
}

describe('a proposal of a registered type', () => {
  it('takes effect by value and by reference, for the application to find', async () => {
    const party = await partyWith()
    const byValue = await party.commit('alice', [proposal])
    expect(byValue.effect.proposals.all).toMatchObject([{ proposal }])
    await party.propose('bob', proposal)
    const pending = await party.commit('carol')
    expect(pending.effect.proposals.all).toMatchObject([{ proposal, sender: { leafIndex: 1 } }])
  })

  it('goes beside others', async () => {
    const party = await partyWith()
    await party.propose('bob', proposal)
    const pending = await party.commit('alice', [remove(party.leaf('carol'))])
    expect(pending.effect.proposals.all).toHaveLength(2)
  })

  it('needs a path where its rules say so', async () => {
    for (const needsPath of [true, false]) {
      const party = await partyWith({ needsPath })
      const pending = await party.group('alice').commit({
        proposals: [proposal],
        path: 'if-required',
      })
      await party.settle('alice', pending)
      const forged = await forgeCommit(await epochOf(party.group('mallory')), {
        proposals: [byValue(proposal)],
        path: () => undefined,
      })
      if (needsPath) await expectCommitRefused(party, 'mallory', forged, 'commit-path-missing')
      else await party.deliver(forged.message, party.others('mallory'))
    }
  })

  it('is refused from a sender that may not make it', async () => {
    const party = await partyWith({ senders: [] })
    const message = await frameProposal(await epochOf(party.group('mallory')), proposal)
    await expectRejected(party, 'mallory', message, 'proposal-sender-not-allowed')
  })

  it('is refused where its rules refuse it, also by who would commit it', async () => {
    const party = await partyWith({
      check: () => {
        throw new MlsError('proposal-psk-invalid', 'for any reason')
      },
    })
    const forged = await forgeCommit(await epochOf(party.group('mallory')), {
      proposals: [byValue(proposal)],
    })
    await expectCommitRefused(party, 'mallory', forged, 'proposal-psk-invalid')
    await expect(party.group('alice').commit({ proposals: [proposal] })).rejects.toEqual(
      refusal('proposal-psk-invalid'),
    )
  })

  it('that a member does not list is refused, by value and by reference', async () => {
    const party = await partyWith()
    const erin = await party.person('erin')
    const capabilities = { ...erin.own.capabilities, proposals: [] }
    await party.addPeople('alice', [{ ...erin, own: { ...erin.own, capabilities } }])
    const message = await frameProposal(await epochOf(party.group('mallory')), proposal)
    const reference = byReference(await party.cache(message))
    for (const entry of [reference, byValue(proposal)]) {
      const forged = await forgeCommit(await epochOf(party.group('mallory')), {
        proposals: [entry],
      })
      await expectCommitRefused(party, 'mallory', forged, 'proposal-type-unsupported')
    }
  })
})

it('a proposal of a type that nobody has registered is refused', async () => {
  const party = await Party.of(names, { policy: permissivePolicy, extensions: [] })
  const message = await frameProposal(await epochOf(party.group('mallory')), proposal)
  await expectRejected(party, 'mallory', message, 'proposal-type-unsupported')
})
