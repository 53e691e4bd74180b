import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { EpochProposals } from '../../src/mls/public/epochProposals.ts'
import type { SourcedProposal } from '../../src/mls/public/index.ts'
import type { LeafIndex, Sender } from '../../src/wire/index.ts'
import { ProposalType, SenderType } from '../../src/wire/registry.ts'
import { seed } from '../campaign.ts'

const senders: readonly Sender[] = [
  { senderType: SenderType.member, leafIndex: 0 as LeafIndex },
  { senderType: SenderType.member, leafIndex: 1 as LeafIndex },
  { senderType: SenderType.external, senderIndex: 0 },
  { senderType: SenderType.newMemberProposal },
]

const sourced = fc.record({
  sender: fc.constantFrom(...senders),
  proposal: fc.constantFrom(
    { proposalType: ProposalType.selfRemove },
    { proposalType: ProposalType.remove, removed: 2 as LeafIndex },
  ),
}) as fc.Arbitrary<SourcedProposal>

function selfRemove(leafIndex: number): SourcedProposal {
  const sender: Sender = { senderType: SenderType.member, leafIndex: leafIndex as LeafIndex }
  return { sender, proposal: { proposalType: ProposalType.selfRemove } }
}

/** What is to be in the same share, said in another way. */
function sameShare(a: SourcedProposal, b: SourcedProposal): boolean {
  const leaves = ({ proposal }: SourcedProposal) =>
    proposal.proposalType === ProposalType.selfRemove
  return (
    JSON.stringify(a.sender) === JSON.stringify(b.sender) &&
    (a.sender.senderType !== SenderType.member || leaves(a) === leaves(b))
  )
}

describe("an epoch's proposals", () => {
  it('are what a map would hold that is copied for each, whichever value they are added to', () => {
    const steps = fc.array(fc.tuple(fc.nat(), fc.nat(9), sourced), { maxLength: 40 })
    fc.assert(
      fc.property(steps, (chosen) => {
        const values = [{ real: EpochProposals.of(), model: new Map<string, SourcedProposal>() }]
        for (const [which, number, one] of chosen) {
          const from = values[which % values.length] as (typeof values)[number]
          const ref = String(number)
          const known = from.model.get(ref) ?? one
          values.push({
            real: from.real.with(ref, one),
            model: new Map(from.model).set(ref, known),
          })
        }
        for (const { real, model } of values) {
          expect([...real]).toEqual([...model])
          expect([...real.keys()]).toEqual([...model.keys()])
          expect([...real.values()]).toEqual([...model.values()])
          expect(real.size).toBe(model.size)
          const seen: [string, SourcedProposal][] = []
          real.forEach((value, ref, all) => {
            expect(all).toBe(real)
            seen.push([ref, value])
          })
          expect(seen).toEqual([...model])
          for (let number = 0; number < 10; number++) {
            expect(real.get(String(number))).toBe(model.get(String(number)))
            expect(real.has(String(number))).toBe(model.has(String(number)))
          }
          for (const [, , one] of chosen) {
            const share = [...model.values()].filter((other) => sameShare(one, other))
            expect(real.inShareOf(one)).toBe(share.length)
          }
        }
      }),
      { seed, numRuns: 200 },
    )
  })

  it('are not copied as they come, but where two are added to one value', () => {
    let proposals = EpochProposals.of()
    const copied = vi.spyOn(EpochProposals, 'of')
    const before = proposals.with('first', selfRemove(0))
    proposals = before
    for (let i = 1; i < 1000; i++) proposals = proposals.with(String(i), selfRemove(i))
    expect(copied).not.toHaveBeenCalled()
    before.with('other', selfRemove(1))
    expect(copied).toHaveBeenCalledTimes(1)
    copied.mockRestore()
    expect(proposals.size).toBe(1000)
    expect(before.size).toBe(1)
  })

  it('are there once where they were stored twice', () => {
    const twice = EpochProposals.of([
      ['a', selfRemove(0)],
      ['a', selfRemove(1)],
      ['b', selfRemove(2)],
    ])
    expect([...twice]).toEqual([
      ['a', selfRemove(0)],
      ['b', selfRemove(2)],
    ])
  })
})
