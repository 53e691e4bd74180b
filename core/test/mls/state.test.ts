import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Bytes, toHex, utf8 } from '../../src/codec/bytes.ts'
import { ConclaveError } from '../../src/error.ts'
import { Group } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { ProposalType } from '../../src/wire/registry.ts'
import { seed } from '../campaign.ts'
import { damage } from './damage.ts'
import { Party, viewOf } from './party.ts'
import { refusal } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'dave']

function openParty(): Promise<Party> {
  return Party.of(names, { policy: permissivePolicy, extensions: [] })
}

/** bob with everything that a state can have: past epochs, messages missed, Updates, proposals. */
async function richParty(): Promise<Party> {
  const party = await openParty()
  const alice = () => party.group('alice')
  const late = await alice().protect(utf8('late'))
  await party.commit('carol')
  await party.commit('bob')
  const sent = [await alice().protect(utf8('0')), await alice().protect(utf8('1'))]
  await party.group('bob').receive(sent[1] as Bytes)
  await party.group('bob').receive(late)
  await party.group('bob').protect(utf8('said'))
  party.group('bob').safeExportSecret(3)
  await party.deliver(await party.group('bob').proposeUpdate())
  await party.deliver(await party.group('carol').proposeSelfRemove())
  return party
}

function stateOf(group: Group): Bytes {
  return group.encodeState().expose()
}

function restored(party: Party, name: string, state = stateOf(party.group(name))): Group {
  return Group.restore(party.environment, state, party.at(name).person.own.signer)
}

/** What a stored state does when it is read back: the code of its refusal, or undefined. */
function refusalOf(party: Party, name: string, state: Bytes): string | undefined {
  try {
    // What can be read can be written too.
    stateOf(restored(party, name, state))
    return undefined
  } catch (error) {
    if (error instanceof ConclaveError) return error.code
    throw error
  }
}

describe('a state', () => {
  it('gives the group that it was taken of, which gives the same state', async () => {
    const party = await richParty()
    for (const { person, group } of party.participants) {
      const again = restored(party, person.name)
      expect(viewOf(again)).toEqual(viewOf(group))
      expect(toHex(stateOf(again))).toBe(toHex(stateOf(group)))
    }
  })

  it('lets a member go on as if nothing had been: its Update, what it missed, its own keys', async () => {
    const party = await richParty()
    const bob = party.at('bob')
    const old = bob.group
    bob.group = restored(party, 'bob')
    old.close()
    const pending = await party.group('alice').commit()
    expect(pending.effect.proposals.updates).toHaveLength(1)
    await party.settle('alice', pending)
    expect(viewOf(bob.group)).toEqual(viewOf(party.group('alice')))
    const message = await bob.group.protect(utf8('here'))
    expect(await party.group('alice').receive(message)).toMatchObject({ data: utf8('here') })
    await party.commit('bob')
    expect(viewOf(party.group('dave'))).toEqual(viewOf(bob.group))
  })

  it('uses no key twice, for what had been sent or opened before it was taken', async () => {
    const party = await openParty()
    const first = await party.group('bob').protect(utf8('first'))
    expect(await party.group('alice').receive(first)).toMatchObject({ kind: 'application' })
    party.at('bob').group = restored(party, 'bob')
    party.at('alice').group = restored(party, 'alice')
    const second = await party.group('bob').protect(utf8('second'))
    expect(await party.group('alice').receive(second)).toMatchObject({ data: utf8('second') })
    expect(await party.group('alice').receive(first)).toMatchObject({ kind: 'duplicate' })
    expect(await party.group('alice').receive(second)).toMatchObject({ kind: 'duplicate' })
  })

  it('knows that the group is to be founded anew', async () => {
    const party = await openParty()
    const reInit = { groupId: utf8('next'), version: 1, cipherSuite: 1, extensions: [] }
    await party.commit('alice', [{ proposalType: ProposalType.reInit, ...reInit }])
    const again = restored(party, 'bob')
    expect(again.public.reInit).toMatchObject(reInit)
    await expect(again.commit()).rejects.toEqual(refusal('group-reinitialised'))
  })

  it("opens with the member's own signer only", async () => {
    const party = await openParty()
    const { signer } = party.at('alice').person.own
    const state = stateOf(party.group('bob'))
    expect(() => Group.restore(party.environment, state, signer)).toThrow(
      refusal('state-signer-mismatch'),
    )
  })

  it('of another version is refused with what to do', async () => {
    const party = await openParty()
    for (const version of [0, 2, 0xffff]) {
      const state = stateOf(party.group('bob'))
      new DataView(state.buffer, state.byteOffset).setUint16(0, version)
      expect(() => restored(party, 'bob', state)).toThrow(refusal('state-version-unsupported'))
    }
    for (const length of [0, 1]) {
      const state = stateOf(party.group('bob')).slice(0, length)
      expect(refusalOf(party, 'bob', state)).toBe('state-version-unsupported')
    }
  })

  it('of a suite that is not there is refused', async () => {
    const party = await openParty()
    const { crypto } = party.environment
    const without = {
      publicSuite: crypto.publicSuite.bind(crypto),
      secretSuite: () => undefined,
    }
    const environment = { ...party.environment, crypto: without }
    const { signer } = party.at('bob').person.own
    const state = stateOf(party.group('bob'))
    expect(() => Group.restore(environment, state, signer)).toThrow(refusal('suite-unsupported'))
  })

  it('that is cut short or has something behind it is malformed', async () => {
    const party = await richParty()
    const state = stateOf(party.group('bob'))
    for (let length = 2; length < state.length; length += 1 + (length >> 6)) {
      expect(refusalOf(party, 'bob', state.slice(0, length))).toBe('state-malformed')
    }
    const longer = new Uint8Array(state.length + 1)
    longer.set(state)
    expect(refusalOf(party, 'bob', longer)).toBe('state-malformed')
  })

  it('that is damaged is refused typed or gives a group', async () => {
    const party = await richParty()
    const state = stateOf(party.group('bob'))
    const codes = new Map<string | undefined, number>()
    fc.assert(
      fc.property(damage, (apply) => {
        const code = refusalOf(party, 'bob', apply(state))
        codes.set(code, (codes.get(code) ?? 0) + 1)
      }),
      { seed, numRuns: 1000 },
    )
    const known = [
      undefined,
      'state-malformed',
      'state-signer-mismatch',
      'state-version-unsupported',
      'suite-unsupported',
    ]
    expect(known).toEqual(expect.arrayContaining([...codes.keys()]))
    expect(codes.get('state-malformed')).toBeGreaterThan(0)
  })

  it('that is damaged gives at worst a group that refuses what it is sent', async () => {
    const party = await richParty()
    const state = stateOf(party.group('bob'))
    const pending = await party.group('alice').commit()
    const said = await party.group('alice').propose({
      proposalType: ProposalType.remove,
      removed: party.leaf('dave'),
    })
    await fc.assert(
      fc.asyncProperty(damage, async (apply) => {
        const damaged = apply(state)
        if (refusalOf(party, 'bob', damaged) !== undefined) return
        for (const message of [said, pending.message]) {
          await restored(party, 'bob', damaged).receive(message)
        }
      }),
      { seed, numRuns: 300 },
    )
  })
})
