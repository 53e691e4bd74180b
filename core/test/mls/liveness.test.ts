import { describe, expect, it } from 'vitest'
import { emptyBytes, fromHex, utf8 } from '../../src/codec/bytes.ts'
import { Secret } from '../../src/crypto/secret/index.ts'
import { maxAddsPerCommit } from '../../src/meeting/index.ts'
import type { OwnProposal } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import type { KeyPackage, LeafIndex } from '../../src/wire/index.ts'
import { ProposalType, PskType, SenderType } from '../../src/wire/registry.ts'
import {
  byValue,
  epochOf,
  forgeCommit,
  forgeKeyPackage,
  forgeUpdate,
  frameProposal,
} from './malformed.ts'
import { add, Party, remove } from './party.ts'
import { expectAlive, rejectionOf } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'dave', 'mallory']
const permissive = { policy: permissivePolicy, extensions: [] }

/** Whom everyone's next commit removes, and how many it adds. */
async function nextCommitOf(party: Party, name: string) {
  const pending = await party.group(name).commit({ authenticatedData: emptyBytes })
  pending.discard()
  const { removed, added } = pending.effect
  return { removed: [...removed], added: added.map(({ keyPackage }) => identityOf(keyPackage)) }
}

function identityOf({ leafNode: { credential } }: KeyPackage): string {
  return 'identity' in credential ? new TextDecoder().decode(credential.identity) : 'x509'
}

describe('a proposal that its sender has no right to make', () => {
  const psk = { pskType: PskType.external, pskId: utf8('?'), pskNonce: new Uint8Array(32) }
  const reInit = { groupId: utf8('next'), version: 1, cipherSuite: 1, extensions: [] }

  it.each<[string, (party: Party) => OwnProposal, code?: string]>([
    ['Remove', (party) => remove(party.leaf('bob'))],
    ['PreSharedKey', () => ({ proposalType: ProposalType.psk, psk })],
    [
      'ReInit to another meeting',
      () => ({ proposalType: ProposalType.reInit, ...reInit }),
      'reinit-not-allowed',
    ],
    [
      'GroupContextExtensions',
      ({ extensions }) => ({ proposalType: ProposalType.groupContextExtensions, extensions }),
    ],
  ])(
    "is refused on arrival, so that a member's %s holds up nobody's commit",
    async (_, make, code) => {
      const party = await Party.of(names)
      const message = await party.group('mallory').propose(make(party))
      for (const { group } of party.participants) {
        expect(await rejectionOf(group, message)).toBe(code ?? 'proposal-not-authorised')
      }
      await expectAlive(party)
    },
  )
})

describe('a proposal that cannot be committed', () => {
  it("adds somebody who is a member already, and is left out of everyone's commit", async () => {
    const party = await Party.of(names)
    const { person } = party.at('mallory')
    const { keyPackage } = await party.keyPackage(person)
    await party.propose('mallory', add(keyPackage))
    expect(await nextCommitOf(party, 'alice')).toEqual({ removed: [], added: [] })
    await expectAlive(party)
  })

  it('adds the same joiner as the committer itself, and is left out', async () => {
    const party = await Party.of(names)
    const { keyPackage } = await party.keyPackage(await party.person('erin'))
    await party.propose('mallory', add(keyPackage))
    const pending = await party.commit('alice', [add(keyPackage)])
    expect(pending.effect.added).toHaveLength(1)
  })

  it("brings another member's encryption key, and is left out", async () => {
    const party = await Party.of(names)
    const stolen = party.group('bob').members[1]?.leafNode.encryptionKey ?? emptyBytes
    const erin = await party.person('erin')
    const { keyPackage } = await party.keyPackage(erin)
    const forged = await forgeKeyPackage(erin.own.signer, keyPackage, {
      leaf: (leaf) => ({ ...leaf, encryptionKey: stolen }),
    })
    await party.propose('mallory', add(forged))
    expect(await nextCommitOf(party, 'alice')).toEqual({ removed: [], added: [] })
    await expectAlive(party)
  })

  it("brings an inner node's key, which would lock out who joins next, and is left out", async () => {
    const party = await Party.of(names)
    await party.commit('carol')
    const { tree } = party.group('alice').public
    const inner = tree.parents().find(({ level, firstLeaf }) => level === 1 && firstLeaf === 2)
    const erin = await party.person('erin')
    const { keyPackage } = await party.keyPackage(erin)
    const forged = await forgeKeyPackage(erin.own.signer, keyPackage, {
      leaf: (leaf) => ({ ...leaf, encryptionKey: inner?.encryptionKey ?? emptyBytes }),
    })
    await party.propose('mallory', add(forged))
    await party.add('bob', ['frank'])
    expect(party.group('frank').members).toHaveLength(names.length + 1)
  })

  it('needs a pre-shared key that we do not have, and is left out', async () => {
    const party = await Party.of(names, permissive)
    const psk = { pskType: PskType.external, pskId: utf8('?'), pskNonce: new Uint8Array(32) }
    await party.propose('mallory', { proposalType: ProposalType.psk, psk })
    await expectAlive(party)
  })

  it('is of a type that not everybody knows, and is left out', async () => {
    const party = await Party.of(names, permissive)
    const simple = await party.person('erin')
    const { capabilities } = simple.own
    await party.addPeople('alice', [
      { ...simple, own: { ...simple.own, capabilities: { ...capabilities, proposals: [] } } },
    ])
    await party.deliver(await party.group('bob').proposeSelfRemove())
    expect(await nextCommitOf(party, 'alice')).toEqual({ removed: [], added: [] })
    await expectAlive(party)
  })

  it('does not take the others with it', async () => {
    const party = await Party.of(names)
    const { keyPackage } = await party.keyPackage(await party.person('erin'))
    const { keyPackage: again } = await party.keyPackage(party.at('mallory').person)
    await party.propose('mallory', add(again))
    await party.propose('mallory', add(keyPackage))
    await party.deliver(await party.group('bob').proposeSelfRemove())
    expect(await nextCommitOf(party, 'alice')).toEqual({
      removed: [party.leaf('bob')],
      added: ['erin'],
    })
  })
})

describe('a key that nothing can be sealed to', () => {
  const useless = [
    ['too short', fromHex('07'.repeat(31))],
    ['empty', emptyBytes],
    ['the point of order one', new Uint8Array(32)],
    [
      'a point of order eight',
      fromHex('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800'),
    ],
    ['a point of small order with its unused bit set', fromHex(`01${'00'.repeat(30)}80`)],
  ] as const

  it.each(useless)("does not get into the tree as a committer's leaf key: %s", async (_, key) => {
    const party = await Party.of(names)
    const forged = await forgeCommit(await epochOf(party.group('mallory')), {
      leaf: (leaf) => ({ ...leaf, encryptionKey: key }),
    })
    for (const { group } of party.others('mallory')) {
      expect(await rejectionOf(group, forged.message)).toBe('leaf-key-invalid')
    }
    await expectAlive(party)
  })

  it.each(useless)(
    "does not get into the tree as a key of a committer's path: %s",
    async (_, key) => {
      const party = await Party.of(names)
      const forged = await forgeCommit(await epochOf(party.group('bob')), {
        path: ({ leafNode, nodes: [lowest, ...nodes] }) => ({
          leafNode,
          nodes: lowest === undefined ? nodes : [{ ...lowest, encryptionKey: key }, ...nodes],
        }),
      })
      for (const { group } of party.others('bob')) {
        expect(await rejectionOf(group, forged.message)).toBe('commit-path-key-invalid')
      }
      await expectAlive(party)
    },
  )

  it.each(useless)('does not get into the tree with an Update: %s', async (_, key) => {
    const party = await Party.of(names)
    const epoch = await epochOf(party.group('mallory'))
    const update = await forgeUpdate(epoch, (leaf) => ({ ...leaf, encryptionKey: key }))
    const message = await frameProposal(epoch, update)
    for (const { group } of party.others('mallory')) {
      expect(await rejectionOf(group, message)).toBe('leaf-key-invalid')
    }
    await expectAlive(party)
  })

  it.each(useless)('is no init key and no leaf key of a KeyPackage: %s', async (_, key) => {
    const party = await Party.of(names)
    const erin = await party.person('erin')
    const { keyPackage } = await party.keyPackage(erin)
    const { signer } = erin.own
    const epoch = await epochOf(party.group('mallory'))
    const cases = [
      [
        'leaf-key-invalid',
        await forgeKeyPackage(signer, keyPackage, {
          leaf: (leaf) => ({ ...leaf, encryptionKey: key }),
        }),
      ],
      [
        'key-package-init-key-invalid',
        await forgeKeyPackage(signer, keyPackage, {
          outside: (content) => ({ ...content, initKey: key }),
        }),
      ],
    ] as const
    for (const [code, forged] of cases) {
      const message = await frameProposal(epoch, add(forged))
      expect(await rejectionOf(party.group('alice'), message)).toBe(code)
      const commit = party.group('alice').commit({
        proposals: [add(forged)],
        authenticatedData: emptyBytes,
      })
      await expect(commit).rejects.toEqual(expect.objectContaining({ code }))
    }
    await expectAlive(party)
  })
})

describe('a flood of proposals', () => {
  it('is bounded for each member, and keeps no removal out', async () => {
    const party = await Party.of(names)
    const epoch = await epochOf(party.group('mallory'))
    const alice = party.group('alice')
    const codes: string[] = []
    for (let i = 0; i < 20; i++) {
      const { keyPackage } = await party.keyPackage(await party.person(`bot ${i}`))
      const received = await alice.receive(await frameProposal(epoch, add(keyPackage)))
      codes.push(received.kind === 'rejected' ? received.error.code : received.kind)
    }
    expect(codes.slice(0, 16)).toEqual(new Array(16).fill('proposal'))
    expect(codes.slice(16)).toEqual(new Array(4).fill('proposals-too-many'))

    const removal = await frameProposal(epoch, remove(party.leaf('mallory')), {
      sender: { senderType: SenderType.external, senderIndex: 0 },
      signer: party.keyserver,
    })
    expect(await alice.receive(removal)).toMatchObject({ kind: 'proposal' })
    for (const name of ['bob', 'mallory']) {
      const leaving = await party.group(name).proposeSelfRemove()
      expect(await alice.receive(leaving)).toMatchObject({ kind: 'proposal' })
    }
    const pending = await alice.commit({ authenticatedData: emptyBytes })
    expect(new Set(pending.effect.removed)).toEqual(
      new Set([party.leaf('bob'), party.leaf('mallory')]),
    )
  })

  it('counts a proposal that is repeated once', async () => {
    const party = await Party.of(names)
    const alice = party.group('alice')
    const message = await party.group('bob').proposeSelfRemove()
    expect(await alice.receive(message)).toMatchObject({ kind: 'proposal' })
    for (let i = 0; i < 40; i++) {
      expect(await alice.receive(message)).toMatchObject({ kind: 'duplicate' })
    }
    expect(alice.public.proposals.size).toBe(1)
  })

  it('within one commit is refused before its proposals are looked at', async () => {
    const party = await Party.of(names)
    const nobody = byValue(remove(1000 as LeafIndex))
    const forged = await forgeCommit(await epochOf(party.group('mallory')), {
      proposals: new Array(4097).fill(nobody),
    })
    expect(await rejectionOf(party.group('alice'), forged.message)).toBe('proposals-too-many')
  })

  it('of 257 Adds in one commit is refused before their KeyPackages are looked at', async () => {
    const party = await Party.of(names)
    const { keyPackage } = await party.keyPackage(await party.person('bot'))
    const mallory = await epochOf(party.group('mallory'))
    const invalid = byValue(add({ ...keyPackage, signature: emptyBytes }))
    const withAdds = async (count: number) => {
      const proposals = new Array(count).fill(invalid)
      return (await forgeCommit(mallory, { proposals })).message
    }
    const alice = party.group('alice')
    const looked = 'key-package-signature-invalid'
    expect(await rejectionOf(alice, await withAdds(maxAddsPerCommit))).toBe(looked)
    expect(await rejectionOf(alice, await withAdds(257))).toBe('proposals-too-many')

    const proposals = new Array(257).fill(add(keyPackage))
    const commit = alice.commit({ proposals, authenticatedData: emptyBytes })
    await expect(commit).rejects.toEqual(expect.objectContaining({ code: 'proposals-too-many' }))
  })
})

describe('messages that arrive together', () => {
  it('are taken one after the other: no proposal is lost', async () => {
    const party = await Party.of(names)
    const alice = party.group('alice')
    const leaving = await Promise.all(
      ['bob', 'carol', 'dave'].map((name) => party.group(name).proposeSelfRemove()),
    )
    await Promise.all(leaving.map((message) => alice.receive(message)))
    expect(alice.public.proposals.size).toBe(3)
  })

  it('are taken one after the other: a commit may name what came just before it', async () => {
    const party = await Party.of(names)
    const leaving = await party.group('bob').proposeSelfRemove()
    await party.deliver(leaving, party.others('alice'))
    const { message } = await party.group('carol').commit({ authenticatedData: emptyBytes })
    const alice = party.group('alice')
    const [proposal, commit, late] = await Promise.all([
      alice.receive(leaving),
      alice.receive(message),
      alice.receive(leaving),
    ])
    expect(proposal).toMatchObject({ kind: 'proposal' })
    expect(commit).toMatchObject({ kind: 'commit' })
    expect(late).toMatchObject({ kind: 'rejected', error: { code: 'group-superseded' } })
  })

  it('let a commit wait that is being made, and it covers them', async () => {
    const party = await Party.of(names)
    const alice = party.group('alice')
    const leaving = await party.group('bob').proposeSelfRemove()
    const [, pending] = await Promise.all([
      alice.receive(leaving),
      alice.commit({ authenticatedData: emptyBytes }),
    ])
    expect(pending.effect.removed).toEqual([party.leaf('bob')])
  })
})

describe('a path secret of the wrong length', () => {
  it.each([0, 5, 31, 33])('of %i bytes is a rejected commit, not an exception', async (length) => {
    const party = await Party.of(names)
    const secret = new Secret(new Uint8Array(length).fill(1))
    const forged = await forgeCommit(await epochOf(party.group('mallory')), {
      pathSecret: () => secret,
    })
    for (const { group } of party.others('mallory')) {
      expect(await rejectionOf(group, forged.message)).toBe('commit-path-undecryptable')
    }
    await expectAlive(party)
  })
})
