import { RemovalLedger } from '@conclave/core/delivery'
import { describe, expect, test } from 'vitest'

const commit = (seenSeq: number, removed: number[] = [], committer = 0) => ({
  committer,
  removed: new Set(removed),
  seenSeq: BigInt(seenSeq),
})

describe('removals that nobody can stall', () => {
  test('a commit without removals in the log may be as it likes', () => {
    expect(RemovalLedger.empty.faultOf(commit(0))).toBeUndefined()
  })

  test('a removal that the committer had seen cannot be left out', () => {
    const ledger = RemovalLedger.empty.withRemoval(5, 3).withRemoval(6, 4)
    expect(ledger.faultOf(commit(6, [3]))).toBe('commit-omits-removal')
    expect(ledger.faultOf(commit(5))).toBe('commit-omits-removal')
    expect(ledger.faultOf(commit(6, [4, 3]))).toBeUndefined()
  })

  test('one removal that crossed the commit on its way may be missed', () => {
    const ledger = RemovalLedger.empty.withRemoval(5, 3)
    expect(ledger.faultOf(commit(4))).toBeUndefined()
  })

  test('a removal asked for again in the next epoch cannot be missed any more', () => {
    const again = RemovalLedger.empty.withRemoval(5, 3).withCommit(new Set()).withRemoval(7, 3)
    expect(again.faultOf(commit(6))).toBe('commit-lags')
    expect(again.faultOf(commit(6, [3]))).toBeUndefined()
    expect(again.withRemoval(8, 9).faultOf(commit(6, [3]))).toBeUndefined()
  })

  test('a leaf that was removed owes nothing', () => {
    const after = RemovalLedger.empty.withRemoval(5, 3).withCommit(new Set([3]))
    expect(after.overdue).toEqual(new Set())
    expect(after.withRemoval(7, 3).faultOf(commit(6))).toBeUndefined()
  })

  test('a removal that nobody asks for again is forgotten', () => {
    const ledger = RemovalLedger.empty.withRemoval(5, 3).withCommit(new Set())
    expect(ledger.faultOf(commit(6))).toBeUndefined()
    expect(ledger.pending).toEqual(new Set())
    expect(ledger.withCommit(new Set()).overdue).toEqual(new Set())
  })

  test('whoever is about to be removed cannot commit, whatever it claims to have seen', () => {
    const ledger = RemovalLedger.empty.withRemoval(5, 3)
    expect(ledger.faultOf(commit(0, [], 3))).toBe('committer-pending-removal')
  })

  test('a ledger taken over from a snapshot keeps what is overdue', () => {
    const ledger = RemovalLedger.startingWith([3]).withRemoval(7, 3)
    expect(ledger.faultOf(commit(6))).toBe('commit-lags')
  })
})
