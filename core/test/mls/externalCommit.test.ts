import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/codec/bytes.ts'
import { Secret } from '../../src/crypto/secret/index.ts'
import { Group } from '../../src/mls/group/index.ts'
import type { PreSharedKeyId } from '../../src/wire/index.ts'
import { ProposalType, PskType } from '../../src/wire/registry.ts'
import { leafOf } from './continuing.ts'
import { enter, expectHeard, groupInfoOf, knock, open, permissive } from './knocking.ts'
import { groupAfter, groupInfoIn, Party, publicMessageIn, remove, viewOf } from './party.ts'
import { expectAlive, refusal } from './refusals.ts'

describe('joining by an external commit', () => {
  it('gives the newcomer and all members the same group, which goes on', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'], permissive)
    const dave = await party.person('dave')
    const group = await enter(party, dave, await knock(party, dave))
    expect(group).toMatchObject({ leafIndex: 3, epoch: 2n })
    await expectHeard(party)
    for (const name of ['dave', 'alice', 'bob', 'carol']) await party.commit(name)
    await party.add('dave', ['erin', 'frank'])
    await expectAlive(party)
  })

  it('works in epoch 0, into a group of one', async () => {
    const party = await Party.of(['alice'], permissive)
    expect(party.group('alice').epoch).toBe(0n)
    const bob = await party.person('bob')
    const group = await enter(party, bob, await knock(party, bob))
    expect(group).toMatchObject({ leafIndex: 1, epoch: 1n })
    await expectHeard(party)
    await party.commit('alice')
    await expectAlive(party)
  })

  it.each([2, 4, 8])('doubles a full tree of %i', async (size) => {
    const names = Array.from({ length: size }, (_, i) => `member ${i}`)
    const party = await Party.of(names, permissive)
    for (const name of names) await party.commit(name)
    const person = await party.person('dave')
    const group = await enter(party, person, await knock(party, person))
    expect(group.leafIndex).toBe(size)
    expect(group.public.tree.leafCount).toBe(2 * size)
    await expectAlive(party)
    await party.commit('member 0')
  })

  it.each([
    ['first', 'alice', 0],
    ['middle', 'carol', 2],
  ])('takes the %s leaf where it is blank', async (_, gone, leaf) => {
    const names = ['alice', 'bob', 'carol', 'dave', 'erin']
    const party = await Party.of(names, permissive)
    for (const name of names) await party.commit(name)
    await party.commit('erin', [remove(party.leaf(gone))])
    const frank = await party.person('frank')
    const group = await enter(party, frank, await knock(party, frank))
    expect(group.leafIndex).toBe(leaf)
    await expectHeard(party)
    await expectAlive(party)
  })

  it('is followed by who has no secrets, by the GroupInfo that comes with it', async () => {
    const party = await Party.of(['alice', 'bob'], permissive)
    const follower = party.group('alice').public
    const dave = await party.person('dave')
    const pending = await knock(party, dave, { groupInfoOptions: open })
    const accepted = await follower.withCommit(
      publicMessageIn(pending.message),
      groupInfoIn(pending.groupInfo),
    )
    expect(accepted).toMatchObject({ committer: 2, added: [], removed: [] })
    await enter(party, dave, pending)
    expect(accepted.group.groupContext).toEqual(party.group('alice').groupContext)
    // The next one can join by it.
    const erin = await party.person('erin')
    const groupInfo = groupInfoIn(pending.groupInfo)
    const next = await Group.joinExternally(party.environment, { groupInfo, own: erin.own })
    await enter(party, erin, next)
  })

  it('takes the tree from elsewhere where the GroupInfo has none', async () => {
    const party = await Party.of(['alice', 'bob'], permissive)
    const dave = await party.person('dave')
    const groupInfo = await groupInfoOf(party, { externalPub: true })
    const joining = { groupInfo, own: dave.own }
    await expect(Group.joinExternally(party.environment, joining)).rejects.toEqual(
      refusal('welcome-tree-missing'),
    )
    const { ratchetTree } = party.group('alice')
    const pending = await Group.joinExternally(party.environment, { ...joining, ratchetTree })
    await enter(party, dave, pending)
  })

  it('covers the SelfRemoves of the epoch by reference, as it must', async () => {
    const party = await Party.of(['alice', 'bob', 'carol', 'dave'], permissive)
    const leaving = []
    for (const name of ['alice', 'carol']) {
      leaving.push(publicMessageIn(await party.propose(name, selfRemove)))
    }
    const erin = await party.person('erin')
    const pending = await knock(party, erin, { selfRemoves: leaving })
    expect(pending.effect.removed).toEqual([0, 2])
    const group = await enter(party, erin, pending)
    expect(group.leafIndex).toBe(0)
    expect(party.participants.map(({ person }) => person.name)).toEqual(['bob', 'dave', 'erin'])
    await expectHeard(party)
  })

  it('takes over a group that everybody leaves', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'], permissive)
    const leaving = []
    for (const name of ['alice', 'bob', 'carol']) {
      leaving.push(publicMessageIn(await party.propose(name, selfRemove)))
    }
    const follower = party.group('alice').public
    const erin = await party.person('erin')
    const pending = await knock(party, erin, { selfRemoves: leaving })
    const accepted = await follower.withCommit(
      publicMessageIn(pending.message),
      groupInfoIn(pending.groupInfo),
    )
    expect(accepted).toMatchObject({ committer: 0, removed: [0, 1, 2] })
    const group = await enter(party, erin, pending)
    expect(group.members).toHaveLength(1)
    expect(group.public.tree.leafCount).toBe(1)
    await party.add('erin', ['frank'])
    await expectHeard(party)
  })

  it.each([2, 3, 7])('works in suite %i', async (id) => {
    const party = await Party.of(['nobody'], permissive)
    const founder = await leafOf(party, 'alice', id)
    const alice = await Group.found(party.environment, {
      cipherSuite: id,
      groupId: utf8(`suite ${id}`),
      own: founder,
      lifetime: party.lifetime(),
      extensions: [],
    })
    const groupInfo = groupInfoIn(await alice.groupInfo(open))
    const own = await leafOf(party, 'bob', id)
    const pending = await Group.joinExternally(party.environment, { groupInfo, own })
    const next = groupAfter(await alice.receive(pending.message))
    const bob = Group.enter(pending)
    expect(viewOf(bob)).toEqual(viewOf(next))
    const again = { groupInfo: groupInfoIn(await next.groupInfo(open)), own }
    const resync = await Group.joinExternally(party.environment, {
      ...again,
      replaces: bob.leafIndex,
    })
    const after = groupAfter(await next.receive(resync.message))
    expect(await bob.receive(resync.message)).toMatchObject({ kind: 'removed' })
    expect(viewOf(Group.enter(resync))).toEqual(viewOf(after))
  })

  it('uses a pre-shared key, which who does not have it cannot follow', async () => {
    const psk: PreSharedKeyId = {
      pskType: PskType.external,
      pskId: utf8('password'),
      pskNonce: new Uint8Array(32).fill(3),
    }
    const key = new Secret(utf8('correct horse'))
    const party = await Party.of(['alice', 'bob'], {
      ...permissive,
      environment: { preSharedKey: () => key },
    })
    const dave = await party.person('dave')
    const guess = new Secret(utf8('battery staple'))
    const wrong = await Group.joinExternally(
      { ...party.environment, preSharedKey: () => guess },
      { groupInfo: await groupInfoOf(party), own: dave.own, preSharedKeys: [psk] },
    )
    for (const { group } of party.participants) {
      expect(await group.receive(wrong.message)).toMatchObject({
        kind: 'rejected',
        error: { code: 'commit-confirmation-tag-invalid' },
      })
    }
    wrong.discard()
    await enter(party, dave, await knock(party, dave, { preSharedKeys: [psk] }))
  })

  it('of two at once happens once, and the loser tries again', async () => {
    const party = await Party.of(['alice', 'bob'], permissive)
    const [dave, erin] = [await party.person('dave'), await party.person('erin')]
    const [first, second] = [await knock(party, dave), await knock(party, erin)]
    const group = await enter(party, dave, first)
    for (const participant of party.participants) {
      const received = await participant.group.receive(second.message)
      expect(received).toMatchObject({ kind: 'past-epoch', error: { code: 'message-epoch-past' } })
    }
    second.discard()
    expect(() => Group.enter(second)).toThrow(refusal('pending-commit-settled') as Error)
    await enter(party, erin, await knock(party, erin))
    expect(group.members).toHaveLength(3)
  })

  it("wins over a member's commit of the same epoch, or loses to it", async () => {
    const party = await Party.of(['alice', 'bob'], permissive)
    const dave = await party.person('dave')
    const pending = await party.group('alice').commit()
    await enter(party, dave, await knock(party, dave))
    pending.discard()
    const erin = await party.person('erin')
    const late = await knock(party, erin)
    await party.commit('bob')
    expect(await party.group('dave').receive(late.message)).toMatchObject({ kind: 'past-epoch' })
  })

  it('opens nothing of the epochs before it', async () => {
    const party = await Party.of(['alice', 'bob'], permissive)
    const before = await party.group('alice').protect(utf8('between us'))
    const dave = await party.person('dave')
    const group = await enter(party, dave, await knock(party, dave))
    expect(await group.receive(before)).toMatchObject({ kind: 'past-epoch' })
  })

  it('is restored from its stored state like any other', async () => {
    const party = await Party.of(['alice', 'bob'], permissive)
    const dave = await party.person('dave')
    const group = await enter(party, dave, await knock(party, dave))
    const restored = Group.restore(party.environment, group.encodeState().expose(), dave.own.signer)
    expect(viewOf(restored)).toEqual(viewOf(group))
  })
})

describe('joining again in place of the leaf that one has, "resync"', () => {
  it.each(['alice', 'bob', 'carol'])(
    'puts %s back with nothing but the public state',
    async (name) => {
      const party = await Party.of(['alice', 'bob', 'carol'], permissive)
      await party.commit('carol')
      const { person, group: lost } = party.at(name)
      const replaces = party.leaf(name)
      const pending = await knock(party, person, { replaces })
      expect(pending.effect.removed).toEqual([replaces])
      const group = await enter(party, person, pending)
      expect(group.leafIndex).toBe(replaces)
      expect(group.members).toHaveLength(3)
      expect(lost.encodeState.bind(lost)).toThrow(refusal('group-left') as Error)
      await expectHeard(party)
      await expectAlive(party)
    },
  )

  it('takes the leftmost free leaf, which may be another one', async () => {
    const names = ['alice', 'bob', 'carol', 'dave', 'erin']
    const party = await Party.of(names, permissive)
    await party.commit('alice', [remove(party.leaf('bob'))])
    const { person } = party.at('erin')
    const group = await enter(
      party,
      person,
      await knock(party, person, { replaces: party.leaf('erin') }),
    )
    expect(group.leafIndex).toBe(1)
    expect(group.public.tree.leafCount).toBe(4)
    await expectAlive(party)
  })

  it('tells the old place that it is over', async () => {
    const party = await Party.of(['alice', 'bob'], permissive)
    const { person, group: old } = party.at('bob')
    const pending = await knock(party, person, { replaces: old.leafIndex })
    expect(await old.receive(pending.message)).toMatchObject({ kind: 'removed' })
  })

  it('is not needed where one was leaving anyway', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'], permissive)
    const leaving = publicMessageIn(await party.propose('bob', selfRemove))
    const { person } = party.at('bob')
    const selfRemoves = [leaving]
    const twice = knock(party, person, { selfRemoves, replaces: party.leaf('bob') })
    await expect(twice).rejects.toEqual(refusal('proposals-same-leaf-twice'))
    const group = await enter(party, person, await knock(party, person, { selfRemoves }))
    expect(group).toMatchObject({ leafIndex: 1 })
    expect(group.members).toHaveLength(3)
  })

  it('goes together with the leaving of others', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'], permissive)
    const leaving = publicMessageIn(await party.propose('alice', selfRemove))
    const { person } = party.at('carol')
    const pending = await knock(party, person, {
      replaces: party.leaf('carol'),
      selfRemoves: [leaving],
    })
    const group = await enter(party, person, pending)
    expect(group).toMatchObject({ leafIndex: 0 })
    expect(group.members).toHaveLength(2)
  })
})

const selfRemove = { proposalType: ProposalType.selfRemove } as const
