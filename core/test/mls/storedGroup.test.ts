import { describe, expect, it } from 'vitest'
import { concatBytes, utf8 } from '../../src/codec/bytes.ts'
import { Group } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { ProposalType, PskType, ResumptionPskUsage } from '../../src/wire/registry.ts'
import { groupAfter, Party, remove, viewOf } from './party.ts'
import { refusal } from './refusals.ts'

/** bob's group, with a proposal, an Update of his own, a past epoch and message keys in it. */
async function stored() {
  const party = await Party.of(['alice', 'bob', 'carol'], {
    policy: permissivePolicy,
    extensions: [],
  })
  const late = await party.group('carol').protect(utf8('late'))
  await party.commit('alice')
  const skipped = await party.group('carol').protect(utf8('skipped'))
  await party.group('bob').receive(await party.group('carol').protect(utf8('read')))
  await party.deliver(await party.group('bob').proposeUpdate())
  const { person, group } = party.at('bob')
  const state = group.encodeState().expose()
  const restore = (bytes = state, signer = person.own.signer) =>
    Group.restore(party.environment, bytes, signer)
  return { party, group, state, late, skipped, restore }
}

describe('a stored group', () => {
  it('is the same once it is restored, down to what it still can open', async () => {
    const { party, group, state, late, skipped, restore } = await stored()
    const restored = restore()
    expect(viewOf(restored)).toEqual(viewOf(group))
    expect(restored.encodeState().expose()).toEqual(state)
    for (const message of [late, skipped]) {
      expect(await restored.receive(message)).toMatchObject({ kind: 'application' })
    }
    const pending = await party.group('alice').commit({ proposals: [remove(party.leaf('carol'))] })
    const next = groupAfter(await restored.receive(pending.message))
    expect(viewOf(next)).toEqual(viewOf(party.group('alice').confirm(pending)))
  })

  it('is refused with the signer of somebody else', async () => {
    const { party, restore } = await stored()
    const { signer } = party.at('carol').person.own
    expect(() => restore(undefined, signer)).toThrow(refusal('state-signer-mismatch') as Error)
  })

  it('is refused in a version that there is not', async () => {
    const { state, restore } = await stored()
    for (const version of [0, 2, 255]) {
      const other = concatBytes(Uint8Array.of(0, version), state.slice(2))
      expect(() => restore(other)).toThrow(refusal('state-version-unsupported') as Error)
    }
    expect(() => restore(new Uint8Array(0))).toThrow(refusal('state-version-unsupported') as Error)
  })

  it('is refused where it was cut or continued', async () => {
    const { state, restore } = await stored()
    for (let length = 2; length < state.length; length += 37) {
      expect(() => restore(state.slice(0, length))).toThrow(refusal('state-malformed') as Error)
    }
    const more = concatBytes(state, Uint8Array.of(0))
    expect(() => restore(more)).toThrow(refusal('state-malformed') as Error)
  })

  it('without past epochs is smaller and the same, but for late messages', async () => {
    const { party, group, state, late, skipped, restore } = await stored()
    const small = group.encodeState({ pastEpochs: false }).expose()
    expect(small.length).toBeLessThan(state.length - 1000)
    const restored = restore(small)
    expect(viewOf(restored)).toEqual(viewOf(group))
    expect(await restored.receive(late)).toMatchObject({ kind: 'past-epoch' })
    expect(await restored.receive(skipped)).toMatchObject({ kind: 'application' })
    // The resumption keys of past epochs are still in it.
    const psk = {
      pskType: PskType.resumption,
      usage: ResumptionPskUsage.application,
      pskGroupId: group.groupId,
      pskEpoch: group.epoch - 1n,
      pskNonce: party.suite.random(32),
    }
    const proposals = [{ proposalType: ProposalType.psk, psk }] as const
    const pending = await party.group('alice').commit({ proposals })
    const next = groupAfter(await restored.receive(pending.message))
    expect(viewOf(next)).toEqual(viewOf(party.group('alice').confirm(pending)))
  })
})
