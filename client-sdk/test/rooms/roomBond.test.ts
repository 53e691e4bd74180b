import { toHex } from '@conclave/core/codec'
import { parentEpochOf, roomPskId } from '@conclave/core/meeting'
import { Group } from '@conclave/core/mls/group'
import { type PreSharedKeyId, ProposalOrRefType, ProposalType } from '@conclave/core/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seed } from '../../../core/test/campaign.ts'
import { systemRandom } from '../../src/index.ts'
import type { RoomEnvironment } from '../../src/rooms/roomBond.ts'
import { awaitParent, joinGroup } from '../../src/rooms/roomEntry.ts'
import { commitIn } from '../../src/session/commitClaims.ts'
import { errorOf, joining, Party } from './party.ts'

const code = (expected: string) => expect.objectContaining({ code: expected })

/** alice and bob are in a room; carol is in the meeting and was called. */
async function roomOfTwo(): Promise<Party> {
  const party = await Party.of('alice', 'bob', 'carol')
  await party.open('alice', 'bob', 'carol')
  await party.add('alice', 'bob')
  return party
}

function key(party: Party, name: string, id: PreSharedKeyId): string | undefined {
  const secret = party.tie(name).preSharedKey(id)
  return secret && toHex(secret.expose())
}

function named({ inRoom }: { readonly inRoom: Group }, party: Party, name: string) {
  const [proposal] = party.tie(name).proposalsIn(inRoom.public, inRoom.leafIndex)
  if (proposal === undefined || !('psk' in proposal)) throw new Error('no key')
  return proposal.psk
}

describe('the keys that tie a room to its meeting', () => {
  it('are the same for everyone in the meeting, others in each epoch, and others for each room', async () => {
    const party = await roomOfTwo()
    const first = named(party.at('alice'), party, 'alice')
    expect(key(party, 'alice', first)).toEqual(key(party, 'carol', first))
    await party.healParent('carol')
    const second = named(party.at('alice'), party, 'alice')
    expect(key(party, 'bob', second)).toEqual(key(party, 'carol', second))
    expect(key(party, 'bob', second)).not.toEqual(key(party, 'bob', first))
    const before = party.tie('alice')
    await party.open('bob', 'alice')
    party.at('alice').bond = undefined
    expect(key(party, 'alice', second)).not.toEqual(
      toHex(before.preSharedKey(second)?.expose() ?? new Uint8Array()),
    )
  })

  it('of past epochs are kept for a minute, and wiped', async () => {
    const party = await roomOfTwo()
    const bond = party.tie('bob')
    const old = bond.newestPsk()
    const secret = bond.preSharedKey(old)
    await party.healParent('carol')
    party.clock.advance(59_999)
    expect(bond.preSharedKey(old)).toBe(secret)
    expect(bond.trees).toHaveLength(2)
    party.clock.advance(1)
    expect(bond.preSharedKey(old)).toBeUndefined()
    expect(secret?.wiped).toBe(true)
    expect(bond.trees).toHaveLength(1)
    // The newest is kept for as long as it is.
    party.clock.advance(3_600_000)
    expect(bond.preSharedKey(bond.newestPsk())).toBeDefined()
  })

  it('of past epochs are kept for 127 epochs at most', async () => {
    const party = await roomOfTwo()
    const bond = party.tie('bob')
    const old = bond.newestPsk()
    for (let i = 0; i < 127; i++) await party.healParent('carol', ['alice'])
    expect(bond.trees).toHaveLength(128)
    expect(bond.preSharedKey(old)).toBeDefined()
    await party.healParent('carol', ['alice'])
    expect(bond.trees).toHaveLength(128)
    expect(bond.preSharedKey(old)).toBeUndefined()
  })

  it('are all wiped at the end', async () => {
    const party = await roomOfTwo()
    const bond = party.tie('bob')
    const old = bond.newestPsk()
    await party.healParent('carol')
    const secrets = [old, bond.newestPsk()].map((id) => bond.preSharedKey(id))
    bond.close()
    expect(secrets.map((secret) => secret?.wiped)).toEqual([true, true])
    party.at('carol').bond?.close()
    party.at('alice').bond?.close()
    expect(party.clock.pendingTimers).toBe(0)
    bond.parentEpochBegan(party.at('bob').parent)
    expect(bond.trees).toEqual([])
  })
})

describe('a member whose parent is behind', () => {
  it('waits for the epoch that a commit names, and follows', async () => {
    const party = await roomOfTwo()
    const healing = await party.healParent('carol', ['bob'])
    const pending = await party.prepare('alice')
    const commit = commitIn(pending.message)
    if (commit === undefined) throw new Error('no commit')
    let waited = false
    const waiting = awaitParent(party.tie('bob'), commit).then(() => {
      waited = true
    })
    await party.clock.advanceAsync(9_999)
    expect(waited).toBe(false)
    expect(errorOf(await party.receive('bob', pending.message))).toEqual(code('commit-psk-missing'))
    await party.learn('bob', healing)
    await waiting
    await party.accept('alice', pending)
    expect(party.at('bob').inRoom.epochAuthenticator).toEqual(
      party.at('alice').inRoom.epochAuthenticator,
    )
  })

  it('does not wait for a commit that names several epochs', async () => {
    const party = await roomOfTwo()
    const { groupId: parentGroupId, epoch } = party.at('bob').parent
    const next = { parentGroupId, parentEpoch: epoch + 1n }
    const ahead = () =>
      ({
        type: ProposalOrRefType.proposal,
        proposal: { proposalType: ProposalType.psk, psk: roomPskId(next, systemRandom(32)) },
      }) as const
    const commit = commitIn((await party.prepare('alice')).message)
    if (commit === undefined) throw new Error('no commit')
    const greedy = { ...commit, commit: { ...commit.commit, proposals: [ahead(), ahead()] } }
    const before = party.clock.pendingTimers
    await awaitParent(party.tie('bob'), greedy)
    expect(party.clock.pendingTimers).toBe(before)
  })

  it('waits for ten seconds and no longer, nor for what cannot come', async () => {
    const party = await roomOfTwo()
    const bond = party.tie('bob')
    const { epoch } = party.at('bob').parent
    const waiting = bond.reached(epoch + 1n)
    await party.clock.advanceAsync(10_000)
    await waiting
    await bond.reached(epoch)
    await bond.reached(epoch - 1n)
    await bond.reached(epoch + 65n)
    const last = bond.reached(epoch + 64n)
    bond.close()
    await last
  })

  it.each([
    ['is let in once it has caught up', true],
    ['is to try again later where it does not catch up', false],
  ])('%s', async (_, catchesUp) => {
    const party = await roomOfTwo()
    const healing = await party.healParent('bob', ['carol'])
    const bundle = await party.knock('carol')
    const { keyPackage } = bundle
    const pending = await party.commit('alice', [{ proposalType: ProposalType.add, keyPackage }])
    const timers = party.clock.pendingTimers
    const joined = joinGroup(party.environment('carol'), joining(pending, bundle))
    const members = joined.then((group) => group.members.length)
    const outcome = expect(members)[catchesUp ? 'resolves' : 'rejects'].toEqual(
      catchesUp ? 3 : code('parent-behind'),
    )
    // Then it waits for the meeting.
    await expect.poll(() => party.clock.pendingTimers).toBe(timers + 1)
    if (catchesUp) await party.learn('carol', healing)
    else party.clock.advance(10_000)
    await outcome
  })
})

describe('a room', () => {
  it('is healed by what heals its meeting', async () => {
    const party = await roomOfTwo()
    // All that bob has of the room is stolen, with the key that his meeting has given it last.
    const { inRoom, tie, signer } = party.at('bob')
    const { epoch } = party.at('bob').parent
    const psk = tie.preSharedKey(tie.newestPsk())?.copy()
    const environment: RoomEnvironment = {
      ...party.environment('bob'),
      preSharedKey: (id) => (parentEpochOf(id)?.parentEpoch === epoch ? psk : undefined),
    }
    const thief = Group.restore(environment, inRoom.encodeState().expose().slice(), signer)
    const first = await party.commit('alice')
    const followed = await thief.receive(first.message)
    if (followed.kind !== 'commit') throw errorOf(followed)
    expect(followed.group.epochAuthenticator).toEqual(party.at('bob').inRoom.epochAuthenticator)
    // bob's leaf in the room stays as it is: its keys are the thief's, too.
    await party.healParent('bob')
    const second = await party.commit('alice')
    expect(errorOf(await followed.group.receive(second.message))).toEqual(
      code('commit-psk-missing'),
    )
    expect(party.at('alice').inRoom.epochAuthenticator).toEqual(
      party.at('bob').inRoom.epochAuthenticator,
    )
  })

  it('has members of the meeting alone, whatever happens in either', async () => {
    const step = fc.record({
      what: fc.constantFrom('heal', 'expel', 'enter', 'commit', 'admit'),
      who: fc.nat(7),
      by: fc.nat(7),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
        const names = ['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7']
        const party = await Party.of('p0', 'p1', 'p2', 'p3')
        await party.open('p0', ...names.slice(1))
        const here = () => [...party.people.values()].filter(({ expelled }) => !expelled)
        const inRoom = () => here().filter(({ room }) => room !== undefined)
        for (const { what, who, by } of steps) {
          const committer = inRoom()[by % inRoom().length]?.name as string
          const somebody = here()[who % here().length]?.name as string
          const isOutside = party.at(somebody).room === undefined
          const newcomer = names[party.people.size]
          if (what === 'heal') await party.healParent(somebody)
          if (what === 'admit' && newcomer !== undefined) await party.admit(newcomer)
          if (what === 'expel' && somebody !== committer) await party.expel(somebody, committer)
          if (what === 'enter' && isOutside) await party.add(committer, somebody)
          else if (what === 'commit') await party.commit(committer)
          else continue
          // Whoever commits knows the meeting as it is: so does the room from then on.
          const views = inRoom().map(({ room }) => toHex((room as Group).epochAuthenticator))
          expect(new Set(views).size).toBe(1)
          expect(party.at(committer).inRoom.members).toHaveLength(inRoom().length)
        }
      }),
      { seed, numRuns: 12 },
    )
  })
})
