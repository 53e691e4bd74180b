import { describe, expect, it } from 'vitest'
import type { Secret } from '../../src/crypto/secret/secret.ts'
import { Group } from '../../src/mls/group/index.ts'
import type { PreSharedKeyId } from '../../src/wire/index.ts'
import { PskType, ResumptionPskUsage } from '../../src/wire/registry.ts'
import { enter, groupInfoOf, knock, permissive } from './knocking.ts'
import { Party, type Person } from './party.ts'
import { refusal } from './refusals.ts'

/** A member who has lost the group but for its resumption PSK of one epoch (RFC 9420 §8.6). */
async function losesAllBut(party: Party, name: string) {
  const { person, group } = party.at(name)
  const { groupId, epoch, leafIndex, resumptionPsk } = group
  const id: PreSharedKeyId = {
    pskType: PskType.resumption,
    usage: ResumptionPskUsage.application,
    pskGroupId: groupId,
    pskEpoch: epoch,
    pskNonce: new Uint8Array(32),
  }
  party.participants = [...party.others(name)]
  return { person, leafIndex, id, resumptionPsk }
}

/** Its way back, with that key as proof that it was there. */
async function knocksWith(
  party: Party,
  lost: {
    person: Person
    leafIndex: Group['leafIndex']
    id: PreSharedKeyId
    resumptionPsk: Secret
  },
) {
  const groupInfo = await groupInfoOf(party)
  return Group.joinExternally(
    { ...party.environment, preSharedKey: () => lost.resumptionPsk },
    { groupInfo, own: lost.person.own, replaces: lost.leafIndex, preSharedKeys: [lost.id] },
  )
}

async function receivedBy(party: Party, name: string, message: Uint8Array<ArrayBuffer>) {
  const received = await party.group(name).receive(message)
  return received.kind === 'rejected' ? received.error : received.kind
}

describe('a resumption PSK in an external commit', () => {
  it('brings a member back among those who were there in its epoch, and later ones do', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'], permissive)
    const lost = await losesAllBut(party, 'bob')
    await party.commit('carol')
    await party.commit('alice')
    const group = await enter(party, lost.person, await knocksWith(party, lost))
    expect(group.leafIndex).toBe(lost.leafIndex)
    await party.commit('alice')
    expect(party.group('bob').epoch).toBe(party.group('alice').epoch)
  })

  it('is refused with another key than that epoch’s', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'], permissive)
    const lost = await losesAllBut(party, 'bob')
    await party.commit('carol')
    const forged = { ...lost, resumptionPsk: party.group('carol').resumptionPsk }
    const { message } = await knocksWith(party, forged)
    expect(await receivedBy(party, 'alice', message)).toEqual(
      refusal('commit-confirmation-tag-invalid'),
    )
  })

  it('cannot be followed by who was added after that epoch, though all others can', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'], permissive)
    const lost = await losesAllBut(party, 'bob')
    await party.add('alice', ['dave'])
    const { message } = await knocksWith(party, lost)
    expect(await receivedBy(party, 'dave', message)).toEqual(refusal('commit-psk-missing'))
    expect(await receivedBy(party, 'carol', message)).toBe('commit')
  })

  it('nor by who has come back itself meanwhile, whose leaf looks as it did', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'], permissive)
    const lost = await losesAllBut(party, 'bob')
    const back = await losesAllBut(party, 'carol')
    const key = (leaf: Group['leafIndex']) =>
      party.group('alice').public.tree.leafNode(leaf)?.signatureKey
    const before = key(back.leafIndex)
    await enter(party, back.person, await knock(party, back.person, { replaces: back.leafIndex }))
    expect(key(back.leafIndex)).toEqual(before)
    const { message } = await knocksWith(party, lost)
    expect(await receivedBy(party, 'carol', message)).toEqual(refusal('commit-psk-missing'))
    expect(await receivedBy(party, 'alice', message)).toBe('commit')
  })

  it('is no part of meetings: their policy lets nobody propose one', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'])
    const lost = await losesAllBut(party, 'bob')
    await expect(knocksWith(party, lost)).rejects.toEqual(refusal('proposal-not-authorised'))
  })

  it('is not needed to prove who it is: without the key of its leaf nobody takes its place', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'])
    const lost = await losesAllBut(party, 'bob')
    const groupInfo = await groupInfoOf(party)
    const place = { groupInfo, replaces: lost.leafIndex }
    const thief = await party.person('bob')
    const stolen = Group.joinExternally(party.environment, { ...place, own: thief.own })
    await expect(stolen).rejects.toEqual(refusal('member-changed'))
    const own = await Group.joinExternally(party.environment, { ...place, own: lost.person.own })
    expect((await enter(party, lost.person, own)).leafIndex).toBe(lost.leafIndex)
  })
})
