import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, utf8 } from '../../src/codec/bytes.ts'
import { Group } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { seed } from '../campaign.ts'
import { Party } from './party.ts'
import { refusal } from './refusals.ts'

function openParty(): Promise<Party> {
  return Party.of(['alice', 'bob'], { policy: permissivePolicy, extensions: [] })
}

/** bob as his stored state has him; whatever he had in memory is gone. */
function crash(party: Party, stored: Bytes): void {
  const bob = party.at('bob')
  bob.group = Group.restore(party.environment, stored, bob.person.own.signer)
}

/** Which message of bob's it is for alice. */
async function generationOf(party: Party, message: Bytes): Promise<number> {
  const received = await party.group('alice').receive(message)
  if (received.kind !== 'application') throw new Error(received.kind)
  return received.generation
}

describe('reserved generations', () => {
  it('are what a state that is stored before goes on after', async () => {
    const party = await openParty()
    party.group('bob').reserveGenerations(3)
    const stored = party.group('bob').encodeState().expose()
    const sent = []
    for (let i = 0; i < 3; i++) sent.push(await party.group('bob').protect(utf8(`${i}`)))
    crash(party, stored)
    const after = await party.group('bob').protect(utf8('after'))
    const seen = []
    for (const message of [...sent, after]) seen.push(await generationOf(party, message))
    expect(seen).toEqual([0, 1, 2, 3])
  })

  it('are all that can be sent before more are reserved', async () => {
    const bob = (await openParty()).group('bob')
    bob.reserveGenerations(2)
    await bob.protect(utf8('one'))
    await bob.protect(utf8('two'))
    await expect(bob.protect(utf8('three'))).rejects.toThrow(refusal('generations-unreserved'))
    bob.reserveGenerations(1)
    await bob.protect(utf8('three'))
    await expect(bob.protect(utf8('four'))).rejects.toThrow(refusal('generations-unreserved'))
  })

  it('do not become fewer by reserving less', async () => {
    const party = await openParty()
    party.group('bob').reserveGenerations(5)
    party.group('bob').reserveGenerations(1)
    crash(party, party.group('bob').encodeState().expose())
    expect(await generationOf(party, await party.group('bob').protect(utf8('late')))).toBe(5)
  })

  it.each([0, -1, 0.5, 2 ** 16 + 1, Number.NaN])('are not %d', async (count) => {
    const bob = (await openParty()).group('bob')
    expect(() => bob.reserveGenerations(count)).toThrow(refusal('secret-tree-limits-invalid'))
  })

  it('end with their epoch', async () => {
    const party = await openParty()
    party.group('bob').reserveGenerations(1)
    await party.commit('alice')
    for (const text of ['one', 'two']) await party.group('bob').protect(utf8(text))
    const before = party.group('bob')
    await party.commit('alice')
    expect(() => before.reserveGenerations(1)).toThrow(refusal('group-superseded'))
  })

  it('keep every generation from being used twice, whenever a member crashes', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.constant('send' as const) },
      { weight: 1, arbitrary: fc.constant('crash' as const) },
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.integer({ min: 1, max: 4 }),
        async (steps, block) => {
          const party = await openParty()
          let stored: Bytes = new Uint8Array(0)
          const reserve = () => {
            party.group('bob').reserveGenerations(block)
            stored = party.group('bob').encodeState().expose().slice()
          }
          reserve()
          const used: number[] = []
          for (const one of steps) {
            if (one === 'crash') {
              crash(party, stored)
              reserve()
              continue
            }
            const message = await party
              .group('bob')
              .protect(utf8('said'))
              .catch(() => {
                reserve()
                return party.group('bob').protect(utf8('said'))
              })
            used.push(await generationOf(party, message))
          }
          expect(new Set(used).size).toBe(used.length)
          expect(used.length).toBe(steps.filter((one) => one === 'send').length)
        },
      ),
      { numRuns: 12, seed },
    )
  })
})
