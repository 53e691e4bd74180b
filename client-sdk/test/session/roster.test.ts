import { PublicTree } from '@conclave/core/mls/treesync'
import { describe, expect, it } from 'vitest'
import { type Participant, rosterChange, rosterOf } from '../../src/session/roster.ts'
import { safetyCode } from '../../src/session/safetyCode.ts'
import { Gathering } from './support/people.ts'

function at(leaf: number, identity: string, device = 0): Participant {
  return { leaf, identity, deviceKey: new Uint8Array(32).fill(device), self: false }
}

describe('the roster', () => {
  it('names everyone by leaf, identity and device, and ourselves', async () => {
    const gathering = await Gathering.of(3)
    const roster = rosterOf(gathering.group(1).public.tree.leaves(), 1)
    expect(roster.map(({ leaf, identity, self }) => [leaf, identity, self])).toEqual([
      [0, 'member 0', false],
      [1, 'member 1', true],
      [2, 'member 2', false],
    ])
    expect(new Set(roster.map(({ deviceKey }) => deviceKey.join())).size).toBe(3)
  })

  it('shows an identity that is no text by its signature key', async () => {
    const gathering = await Gathering.of(1)
    const [member] = gathering.group(0).members
    if (member === undefined) throw new Error('nobody')
    const { leafNode } = member
    const credential = { credentialType: 1, identity: Uint8Array.of(0xff, 0xfe) } as const
    const tree = PublicTree.ofFounder({ ...leafNode, credential })
    const [shown] = rosterOf(tree.leaves(), 0)
    expect(shown?.identity).toMatch(/^[0-9a-f]{64}$/)
  })

  it('says who came and who went', () => {
    const before = [at(0, 'alice'), at(1, 'bob'), at(2, 'carol')]
    const after = [at(0, 'alice'), at(2, 'carol'), at(3, 'dan')]
    const { joined, left } = rosterChange(before, after)
    expect(joined.map(({ identity }) => identity)).toEqual(['dan'])
    expect(left.map(({ identity }) => identity)).toEqual(['bob'])
  })

  it.each([
    ['another person', at(1, 'carol')],
    ['another device of theirs', at(1, 'bob', 1)],
  ])('takes %s at the same leaf for somebody else', (_, other) => {
    const before = [at(0, 'alice'), at(1, 'bob')]
    const after = [at(0, 'alice'), other]
    const { joined, left } = rosterChange(before, after)
    expect(joined).toEqual([after[1]])
    expect(left).toEqual([before[1]])
  })

  it('says nothing where nothing changed', () => {
    const members = [at(0, 'alice')]
    expect(rosterChange(members, members)).toEqual({ joined: [], left: [] })
  })
})

describe('the safety code', () => {
  it('is thirty digits that depend on the first thirty bytes', () => {
    const authenticator = Uint8Array.from({ length: 32 }, (_, i) => 7 * i)
    const code = safetyCode(authenticator)
    expect(code).toMatch(/^\d{5}( \d{5}){5}$/)
    for (let i = 0; i < 30; i++) {
      const changed = authenticator.slice()
      changed[i] = (changed[i] ?? 0) ^ 1
      expect(safetyCode(changed)).not.toBe(code)
    }
  })

  it('is the remainder of each forty bits, with leading zeros', () => {
    const authenticator = new Uint8Array(32)
    authenticator[4] = 7
    authenticator.set([0, 0, 1, 0x86, 0xa1], 5) // 100 001
    authenticator.set([255, 255, 255, 255, 255], 25) // 2^40 − 1 = 1 099 511 627 775
    expect(safetyCode(authenticator)).toBe('00007 00001 00000 00000 00000 27775')
  })

  it('is the same for all members and changes with the epoch', async () => {
    const gathering = await Gathering.of(3)
    const codes = gathering.groups.map((group) => safetyCode(group.epochAuthenticator))
    expect(new Set(codes).size).toBe(1)
    await gathering.add(1)
    expect(safetyCode(gathering.group(0).epochAuthenticator)).not.toBe(codes[0])
  })
})
