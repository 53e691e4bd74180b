import { describe, expect, it } from 'vitest'
import { type Bytes, emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import { Group } from '../../src/mls/group/index.ts'
import { MlsError, PublicGroup } from '../../src/mls/public/index.ts'
import { type FramedContent, LeafNode, RatchetTree } from '../../src/wire/index.ts'
import { ContentType, ExtensionType, SenderType } from '../../src/wire/registry.ts'
import { inventWelcome } from './inventedGroup.ts'
import { contentOf, epochOf, forgeUpdate, frame, frameProposal } from './malformed.ts'
import { add, groupInfoIn, Party, remove, viewOf, welcomeIn } from './party.ts'
import { refusal } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'dave']

function expectAgreement(party: Party): void {
  const [first, ...others] = party.participants.map(({ group }) => viewOf(group))
  for (const view of others) expect(view).toEqual(first)
}

/** The keyserver asks for a removal. */
async function externalRemoval(party: Party, name: string): Promise<Bytes> {
  return frameProposal(
    await epochOf(party.group(party.others(name)[0]?.person.name ?? '')),
    remove(party.leaf(name)),
    { sender: { senderType: SenderType.external, senderIndex: 0 }, signer: party.keyserver },
  )
}

describe('a group', () => {
  it('has one member and epoch 0 when it is founded', async () => {
    const party = await Party.of(['alice'])
    const alice = party.group('alice')
    expect(alice.epoch).toBe(0n)
    expect(alice.members.map(({ leafIndex }) => leafIndex)).toEqual([0])
    expect(alice.groupContext.confirmedTranscriptHash).toEqual(emptyBytes)
    expect(alice.groupContext.extensions).toEqual(party.extensions)
  })

  it('can be followed from epoch 0 by whoever has its GroupInfo and tree', async () => {
    const party = await Party.of(['alice'])
    const alice = party.group('alice')
    const info = groupInfoIn(await alice.groupInfo())
    const opened = await PublicGroup.open(party.environment, info, alice.ratchetTree)
    expect(opened.groupContext).toEqual(alice.groupContext)
  })

  it('has members that agree on authenticator, exporter, tree and transcript', async () => {
    const party = await Party.of(names)
    expectAgreement(party)
    expect(party.group('dave').epoch).toBe(1n)
  })

  it('exports secrets that differ by label, context, length and epoch', async () => {
    const party = await Party.of(names)
    const exported = () => {
      const alice = party.group('alice')
      return [
        alice.exportSecret('a', utf8('x'), 32),
        alice.exportSecret('b', utf8('x'), 32),
        alice.exportSecret('a', utf8('y'), 32),
        alice.exportSecret('a', utf8('x'), 16),
      ].map((secret) => secret.expose().join())
    }
    const before = exported()
    await party.commit('bob')
    expect(new Set([...before, ...exported()]).size).toBe(8)
  })

  it('is committed to by each of its members in turn', async () => {
    const party = await Party.of(names)
    for (const name of [...names, ...names.toReversed()]) {
      await party.commit(name)
      expectAgreement(party)
    }
    expect(party.group('alice').epoch).toBe(9n)
  })

  it('refuses to be founded where nobody else could enter it', async () => {
    const party = await Party.of(['alice'])
    const { own } = party.at('alice').person
    const founding = {
      cipherSuite: 1,
      groupId: utf8('other'),
      lifetime: party.lifetime(),
      extensions: party.extensions,
    }
    const incapable = { ...own, capabilities: { ...own.capabilities, proposals: [] } }
    await expect(Group.found(party.environment, { ...founding, own: incapable })).rejects.toEqual(
      refusal('leaf-capabilities-insufficient'),
    )
    await expect(
      Group.found(party.environment, { ...founding, own: { ...own, extensions: [] } }),
    ).rejects.toEqual(refusal('member-extension-invalid'))
    await expect(
      Group.found(party.environment, { ...founding, own, cipherSuite: 999 }),
    ).rejects.toEqual(refusal('suite-unsupported'))
  })
})

describe('joining', () => {
  it('takes the tree from the GroupInfo where it is inside', async () => {
    const party = await Party.of(names)
    const bundle = await party.keyPackage(await party.person('erin'))
    await party.commit('alice', [add(bundle.keyPackage)])
    const alice = party.group('alice')
    // The real Welcome has no tree; a committer of other software puts it inside like this.
    const welcome = await inventWelcome(party.suite, {
      signer: party.at('alice').person.own.signer,
      signerLeaf: alice.leafIndex,
      context: alice.groupContext,
      tree: alice.public.tree,
      newcomer: bundle.keyPackage,
      groupInfo: (info) => ({
        ...info,
        extensions: [
          {
            extensionType: ExtensionType.ratchetTree,
            extensionData: encode(RatchetTree, alice.ratchetTree),
          },
        ],
      }),
    })
    const erin = await Group.join(party.environment, { welcome, bundle })
    expect(erin.groupContext).toEqual(alice.groupContext)
    expect(erin.members).toEqual(alice.members)
    expect(erin.leafIndex).toBe(4)
  })

  it('asks for the tree by the GroupInfo where it is not', async () => {
    const party = await Party.of(names)
    const bundle = await party.keyPackage(await party.person('erin'))
    const pending = await party.commit('alice', [add(bundle.keyPackage)])
    const asked: Bytes[] = []
    const erin = await Group.join(party.environment, {
      welcome: welcomeIn(pending.welcome),
      bundle,
      ratchetTree: async ({ groupContext }) => {
        asked.push(groupContext.treeHash)
        return party.group('bob').ratchetTree
      },
    })
    expect(asked).toEqual([party.group('bob').groupContext.treeHash])
    expect(viewOf(erin)).toEqual(viewOf(party.group('bob')))
  })

  it('leaves the KeyPackage usable where it fails, and used up where it does not', async () => {
    const party = await Party.of(names)
    const bundle = await party.keyPackage(await party.person('erin'))
    const pending = await party.commit('alice', [add(bundle.keyPackage)])
    const welcome = welcomeIn(pending.welcome)
    const tree = { ratchetTree: async () => party.group('bob').ratchetTree }
    await expect(Group.join(party.environment, { welcome, bundle })).rejects.toEqual(
      refusal('welcome-tree-missing'),
    )
    const erin = await Group.join(party.environment, { welcome, bundle, ...tree })
    expect(viewOf(erin)).toEqual(viewOf(party.group('bob')))
    expect(bundle.initKey.privateKey.wiped).toBe(true)
    await expect(Group.join(party.environment, { welcome, bundle, ...tree })).rejects.toThrow()
  })

  it('many at once and one after the other gives everyone the same group', async () => {
    const party = await Party.of(names)
    await party.add('bob', ['erin', 'frank', 'grace'])
    expectAgreement(party)
    await party.add('grace', ['heidi'])
    await party.add('heidi', ['ivan', 'judy'])
    expectAgreement(party)
    await party.commit('judy')
    expectAgreement(party)
  })
})

describe('proposals', () => {
  it('by value take effect with the commit that carries them', async () => {
    const party = await Party.of(names)
    const { keyPackage } = await party.keyPackage(await party.person('erin'))
    const pending = await party.commit('bob', [add(keyPackage)])
    expect(pending.effect.added.map(({ leafIndex }) => leafIndex)).toEqual([4])
    expectAgreement(party)
  })

  it('by reference take effect with whoever commits next', async () => {
    const party = await Party.of(names)
    const { keyPackage } = await party.keyPackage(await party.person('erin'))
    await party.propose('bob', add(keyPackage))
    for (const { group } of party.participants) expect(group.public.proposals.size).toBe(1)
    const pending = await party.commit('dave')
    expect(pending.effect.added.map(({ leafIndex }) => leafIndex)).toEqual([4])
    for (const { group } of party.participants) expect(group.public.proposals.size).toBe(0)
    expectAgreement(party)
  })

  it('by value and by reference go together', async () => {
    const party = await Party.of(names)
    const [erin, frank] = await Promise.all(['erin', 'frank'].map((name) => party.person(name)))
    if (erin === undefined || frank === undefined) throw new Error('two people')
    await party.propose('bob', add((await party.keyPackage(erin)).keyPackage))
    await party.deliver(await party.group('carol').proposeSelfRemove())
    const { keyPackage } = await party.keyPackage(frank)
    const pending = await party.commit('alice', [add(keyPackage)])
    expect(pending.effect.removed).toEqual([2])
    // erin takes the leaf that carol leaves, frank the next one.
    expect(pending.effect.added.map(({ leafIndex }) => leafIndex)).toEqual([2, 4])
    expectAgreement(party)
  })

  it('with an Update replace the leaf and blank its path', async () => {
    const party = await Party.of(names)
    // As other software may do it; here a member renews its leaf by committing.
    const epoch = await epochOf(party.group('bob'))
    const { proposalType, leafNode } = await forgeUpdate(epoch)
    await party.deliver(await frameProposal(epoch, { proposalType, leafNode }))
    party.participants = [...party.others('bob')]
    await party.commit('carol')
    expectAgreement(party)
    expect(encode(LeafNode, party.group('alice').members[1]?.leafNode ?? leafNode)).toEqual(
      encode(LeafNode, leafNode),
    )
  })

  it('that have not been committed end with their epoch', async () => {
    const party = await Party.of(names)
    const late = await party.group('bob').proposeSelfRemove()
    await party.commit('alice')
    const received = await party.group('carol').receive(late)
    expect(received).toMatchObject({ kind: 'past-epoch', error: { code: 'message-epoch-past' } })
    expect(party.group('carol').public.pendingRemovals.size).toBe(0)
  })
})

describe('leaving', () => {
  it('by SelfRemove is committed by somebody else, and tells the leaver so', async () => {
    const party = await Party.of(names)
    const leaver = party.group('bob')
    await party.deliver(await leaver.proposeSelfRemove())
    expect([...party.group('carol').public.pendingRemovals]).toEqual([1])
    const pending = await party.group('alice').commit({ authenticatedData: emptyBytes })
    await party.settle('alice', pending)
    expect(party.participants.map(({ person }) => person.name)).toEqual(['alice', 'carol', 'dave'])
    expectAgreement(party)
    expect(() => leaver.epochAuthenticator).toThrow(refusal('group-left'))
    expect(party.group('alice').members.map(({ leafIndex }) => leafIndex)).toEqual([0, 2, 3])
  })

  it('is not committed by the leaver itself', async () => {
    const party = await Party.of(names)
    await party.deliver(await party.group('bob').proposeSelfRemove())
    const own = await party.group('bob').commit({ authenticatedData: emptyBytes })
    expect(own.effect.removed).toEqual([])
  })

  it("can be asked for by the keyserver's external sender", async () => {
    const party = await Party.of(names)
    await party.deliver(await externalRemoval(party, 'dave'))
    const gone = party.group('dave')
    const pending = await party.commit('bob')
    expect(pending.effect.proposals.removes).toMatchObject([
      { leafIndex: 3, kind: 'remove', sender: { senderType: SenderType.external } },
    ])
    expect(party.participants).toHaveLength(3)
    expect(() => gone.epochAuthenticator).toThrow(refusal('group-left'))
    expectAgreement(party)
  })

  it('tells what its proposal authenticated, also after a restore', async () => {
    const party = await Party.of(names)
    const said = utf8('why')
    const epoch = await epochOf(party.group('alice'))
    const content: FramedContent = {
      ...contentOf(epoch, { senderType: SenderType.external, senderIndex: 0 }),
      authenticatedData: said,
      contentType: ContentType.proposal,
      proposal: remove(party.leaf('dave')),
    }
    await party.deliver(await frame(epoch, content, undefined, { signer: party.keyserver }))
    const carol = party.at('carol')
    const state = carol.group.encodeState().expose()
    carol.group = Group.restore(party.environment, state, carol.person.own.signer)
    const pending = await party.commit('carol')
    expect(pending.effect.proposals.removes).toMatchObject([
      { leafIndex: 3, kind: 'remove', authenticatedData: said },
    ])
    expectAgreement(party)
  })

  it('asked for twice happens once', async () => {
    const party = await Party.of(names)
    await party.deliver(await externalRemoval(party, 'dave'))
    await party.deliver(await party.group('dave').proposeSelfRemove())
    const pending = await party.commit('bob')
    expect(pending.effect.proposals.removes).toMatchObject([{ leafIndex: 3, kind: 'self-remove' }])
    expectAgreement(party)
  })
})

describe('a commit that lost', () => {
  it('is discarded, and another one made', async () => {
    const party = await Party.of(names)
    const { keyPackage } = await party.keyPackage(await party.person('erin'))
    const lost = await party.group('bob').commit({
      proposals: [add(keyPackage)],
      authenticatedData: emptyBytes,
    })
    await party.commit('alice')
    lost.discard()
    expectAgreement(party)
    expect(party.group('bob').members).toHaveLength(4)
    await party.commit('bob', [add(keyPackage)])
    expectAgreement(party)
    expect(party.group('bob').members).toHaveLength(5)
  })

  it('cannot be confirmed in the next epoch, nor by anybody else', async () => {
    const party = await Party.of(names)
    const lost = await party.group('bob').commit({ authenticatedData: emptyBytes })
    expect(() => party.group('carol').confirm(lost)).toThrow(refusal('group-superseded'))
    await party.commit('alice')
    expect(() => party.group('bob').confirm(lost)).toThrow(refusal('group-superseded'))
    expectAgreement(party)
  })

  it('can be one of two of the same member', async () => {
    const party = await Party.of(names)
    const bob = party.group('bob')
    const first = await bob.commit({ authenticatedData: utf8('first') })
    const second = await bob.commit({ authenticatedData: utf8('second') })
    await party.settle('bob', second)
    expect(() => bob.confirm(first)).toThrow(refusal('group-superseded'))
    first.discard()
    expectAgreement(party)
    await party.commit('carol')
    expectAgreement(party)
  })

  it('of our own is not taken in as a message', async () => {
    const party = await Party.of(names)
    const pending = await party.group('bob').commit({ authenticatedData: emptyBytes })
    pending.discard()
    expect(await party.group('bob').receive(pending.message)).toMatchObject({
      kind: 'own',
      error: { code: 'message-own' },
    })
    await party.commit('bob')
    expectAgreement(party)
  })
})

describe('a handle', () => {
  it('that was superseded, by a commit of ours or of another, is of no more use', async () => {
    const party = await Party.of(names)
    const [alice, bob] = [party.group('alice'), party.group('bob')]
    const pending = await alice.commit({ authenticatedData: emptyBytes })
    await party.settle('alice', pending)
    for (const group of [alice, bob]) {
      expect(() => group.epochAuthenticator).toThrow(refusal('group-superseded'))
      expect(() => group.resumptionPsk).toThrow(refusal('group-superseded'))
      expect(() => group.exportSecret('a', emptyBytes, 32)).toThrow(refusal('group-superseded'))
      expect(() => group.confirm(pending)).toThrow(refusal('group-superseded'))
      await expect(group.commit({ authenticatedData: emptyBytes })).rejects.toEqual(
        refusal('group-superseded'),
      )
      await expect(group.proposeSelfRemove()).rejects.toEqual(refusal('group-superseded'))
      await expect(group.sign('a', emptyBytes)).rejects.toEqual(refusal('group-superseded'))
      await expect(group.groupInfo()).rejects.toEqual(refusal('group-superseded'))
      expect(await group.receive(pending.message)).toMatchObject({
        kind: 'rejected',
        error: { code: 'group-superseded' },
      })
    }
  })

  it('confirms a commit once', async () => {
    const party = await Party.of(names)
    const alice = party.group('alice')
    const pending = await alice.commit({ authenticatedData: emptyBytes })
    alice.confirm(pending)
    expect(() => pending.discard()).toThrow(refusal('pending-commit-settled'))
    expect(() => pending.settle()).toThrow(refusal('pending-commit-settled'))
    const bob = party.group('bob')
    const discarded = await bob.commit({ authenticatedData: emptyBytes })
    discarded.discard()
    expect(() => bob.confirm(discarded)).toThrow(refusal('pending-commit-settled'))
    expect(bob.epochAuthenticator).toHaveLength(32)
  })

  it('that was closed while a message or a commit was under way says so', async () => {
    const party = await Party.of(names)
    const { message } = await party.group('alice').commit({ authenticatedData: emptyBytes })
    const bob = party.group('bob')
    const [received, made] = [
      bob.receive(message),
      bob.commit({ authenticatedData: emptyBytes }).catch((error: unknown) => error),
    ]
    bob.close()
    expect(await received).toMatchObject({ kind: 'rejected', error: { code: 'group-left' } })
    expect(await made).toEqual(refusal('group-left'))
    expect(await made).toBeInstanceOf(MlsError)
  })
})

describe('entering again', () => {
  it('after a removal gives a fresh leaf, and nothing of the time between', async () => {
    const party = await Party.of(names)
    const { person } = party.at('bob')
    await party.deliver(await party.group('bob').proposeSelfRemove())
    await party.commit('alice')
    await party.commit('carol')
    await party.addPeople('dave', [person])
    expectAgreement(party)
    expect(party.leaf('bob')).toBe(1)
    await party.commit('bob')
    expectAgreement(party)
  })

  it('in the commit that removes the old leaf is one step', async () => {
    const party = await Party.of(names)
    const { person } = party.at('bob')
    await party.deliver(await externalRemoval(party, 'bob'))
    const bundle = await party.keyPackage(person)
    const pending = await party.commit('carol', [add(bundle.keyPackage)])
    expect(pending.effect.removed).toEqual([1])
    const bob = await Group.join(party.environment, {
      welcome: welcomeIn(pending.welcome),
      bundle,
      ratchetTree: async () => party.group('carol').ratchetTree,
    })
    expect(viewOf(bob)).toEqual(viewOf(party.group('alice')))
  })

  it('cannot reach back: a joiner fails on every message from before it joined', async () => {
    const party = await Party.of(names)
    const proposal = await party.group('bob').proposeSelfRemove()
    const before = await party.commit('alice')
    await party.add('carol', ['erin'])
    const erin = party.group('erin')
    for (const message of [proposal, before.message]) {
      expect(await erin.receive(message)).toMatchObject({
        kind: 'past-epoch',
        error: { code: 'message-epoch-past' },
      })
    }
  })
})
