import { describe, expect, it } from 'vitest'
import { emptyBytes } from '../../src/codec/bytes.ts'
import { checkLifetime } from '../../src/mls/public/index.ts'
import { byValue, epochOf, forgeCommit } from './malformed.ts'
import { add, Party } from './party.ts'
import { expectCommitRefused, refusal } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'mallory']

describe("a KeyPackage's lifetime", () => {
  const minutes = (n: number) => n * 60_000

  it.each([
    ['which ended just now', -minutes(0) - 1000],
    ['which ends in less than two minutes', minutes(2) - 1000],
  ])('%s keeps members from adding and from proposing it (valn0105)', async (_, left) => {
    const party = await Party.of(names)
    const { keyPackage } = await party.keyPackage(await party.person('erin'))
    party.clock.advance(300_000 - left)
    const commit = party.group('alice').commit({
      proposals: [add(keyPackage)],
      authenticatedData: emptyBytes,
    })
    await expect(commit).rejects.toEqual(refusal('leaf-lifetime-expired'))
    const proposed = party.group('alice').propose(add(keyPackage))
    await expect(proposed).rejects.toEqual(refusal('leaf-lifetime-expired'))
  })

  it('which begins later keeps a committer from adding it (valn0105)', async () => {
    const party = await Party.of(names)
    const now = BigInt(party.clock.now() / 1000)
    const later = { notBefore: now + 5n, notAfter: now + 300n }
    const { keyPackage } = await party.keyPackage(await party.person('erin'), later)
    const commit = () =>
      party.group('alice').commit({ proposals: [add(keyPackage)], authenticatedData: emptyBytes })
    await expect(commit()).rejects.toEqual(refusal('leaf-lifetime-expired'))
    party.clock.advance(5000)
    expect((await commit()).effect.added).toHaveLength(1)
  })

  it('which ends in two minutes lets a committer add it (valn0105)', async () => {
    const party = await Party.of(names)
    const { keyPackage } = await party.keyPackage(await party.person('erin'))
    party.clock.advance(minutes(3))
    expect((await party.commit('alice', [add(keyPackage)])).effect.added).toHaveLength(1)
  })

  it('is given ten minutes on either side by receivers, and no second more (valn0106)', async () => {
    const party = await Party.of(names)
    const start = party.clock.now()
    const { keyPackage } = await party.keyPackage(await party.person('erin'))
    const { leafNode } = keyPackage
    const judge = (seconds: number) => () =>
      checkLifetime(leafNode, start + seconds * 1000, 'receiver')
    expect(judge(300 + 600)).not.toThrow()
    expect(judge(300 + 601)).toThrow(refusal('leaf-lifetime-expired'))
    expect(judge(-60 - 600)).not.toThrow()
    expect(judge(-60 - 601)).toThrow(refusal('leaf-lifetime-expired'))

    // mallory's clock is far behind, or does not matter to her.
    const forged = await forgeCommit(await epochOf(party.group('mallory')), {
      proposals: [byValue(add(keyPackage))],
    })
    party.clock.advance(901_000)
    await expectCommitRefused(party, 'mallory', forged, 'leaf-lifetime-expired')
  })

  it('is not looked at again once the leaf is in the tree', async () => {
    const party = await Party.of(names)
    party.clock.advance(24 * 3_600_000)
    await party.commit('bob')
    await party.add('mallory', ['erin'])
    expect(party.group('erin').members).toHaveLength(5)
  })
})
