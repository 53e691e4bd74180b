import { describe, expect, it } from 'vitest'
import { FollowedMembers } from '../../load/floor.ts'
import {
  costOf,
  meanCosts,
  measurePrimitives,
  noPrimitives,
  operations,
} from '../../load/primitiveCosts.ts'
import type { AppendedCommit } from '../../servers/appendedEntries.ts'

const commit: AppendedCommit = {
  kind: 'commit',
  at: 0,
  seq: 1,
  epoch: 0,
  committer: 0,
  external: false,
  added: [],
  removed: [],
  seals: 0,
  bytes: 1000,
}
const proposal = { kind: 'proposal', at: 0, epoch: 0 } as const

/** The founder has added leaves 1 to 3. */
function fourMembers(): FollowedMembers {
  const members = new FollowedMembers()
  members.follow({ ...commit, added: [1, 2, 3] })
  return members
}

describe('the floor of a meeting', () => {
  it('has every newcomer verify every leaf', () => {
    const { all, committer } = new FollowedMembers().follow({ ...commit, added: [1, 2, 3] })
    // Three signatures of each KeyPackage; then three newcomers with three other leaves each.
    expect(committer.verifyNew + committer.verify).toBe(3 * 3)
    expect(all.verifyNew).toBe(committer.verifyNew + 3 * 3 * 2)
    expect(all.hpkeSeal).toBe(3)
    expect(all.hpkeOpen).toBe(3)
    // Leaf 0's path has two nodes: leaf 1 derives both, leaves 2 and 3 the root alone.
    expect(all.deriveKeyPair).toBe(3 + 3 * 2 + (2 + 1 + 1))
  })

  it('has every member verify and open a commit and climb from where its path meets theirs', () => {
    const { all, committer } = fourMembers().follow({ ...commit, committer: 3, seals: 2 })
    expect(committer).toMatchObject({ sign: 3, hpkeSeal: 2, deriveKeyPair: 3, verify: 0 })
    expect(all.verify).toBe(3 * 2)
    expect(all.verifyNew).toBe(0)
    expect(all.hpkeOpen).toBe(3)
    expect(all.deriveKeyPair - committer.deriveKeyPair).toBe(2 + 1 + 1)
  })

  it('has those verify a proposal who have not made it', () => {
    expect(fourMembers().follow(proposal).all).toMatchObject({ sign: 1, verify: 3 })
  })

  it('knows who has left, and skips nodes that nobody is beneath', () => {
    const members = fourMembers()
    members.follow({ ...commit, removed: [2, 3] })
    expect(members.count).toBe(2)
    const { all } = members.follow({ ...commit, committer: 1 })
    expect(all.hpkeOpen).toBe(1)
    // One node is left above the two of them.
    expect(all.deriveKeyPair).toBe(2 + 1)
  })

  it('has an external committer verify every leaf, and everybody its own', () => {
    const external = { ...commit, committer: 4, added: [4], external: true }
    const { all, committer } = fourMembers().follow(external)
    expect(committer.verifyNew).toBe(4 * 2)
    expect(all.verifyNew).toBe(4 * 2 + 4 * 2)
    expect(all.hpkeOpen).toBe(4)
  })

  it('is counted in operations whose cost is measured', () => {
    const costs = measurePrimitives()
    expect(Object.keys(costs).toSorted()).toEqual([...operations].toSorted())
    for (const cost of Object.values(costs)) expect(cost).toBeGreaterThan(0)
    expect(costOf({ ...noPrimitives(), verify: 2, hash: 3 }, costs)).toBeCloseTo(
      2 * costs.verify + 3 * costs.hash,
    )
  })

  it('costs what operations did on the average of several measurements', () => {
    const costs = { ...noPrimitives(), verify: 1, hash: 4 }
    const mean = meanCosts([costs, { ...costs, verify: 3 }])
    expect(mean).toEqual({ ...noPrimitives(), verify: 2, hash: 4 })
  })
})
