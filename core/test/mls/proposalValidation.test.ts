import { describe, expect, it } from 'vitest'
import { emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import { Secret } from '../../src/crypto/secret/index.ts'
import type { Epoch } from '../../src/mls/group/epoch.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import {
  type Extensions,
  type LeafIndex,
  type LeafNodeContent,
  type PreSharedKeyId,
  Proposal,
  type ProposalOrRef,
  RequiredCapabilities,
  type Sender,
} from '../../src/wire/index.ts'
import {
  ExtensionType,
  ProposalType,
  PskType,
  ResumptionPskUsage,
  SenderType,
} from '../../src/wire/registry.ts'
import {
  byReference,
  byValue,
  epochOf,
  forgeCommit,
  forgeNewcomer,
  forgeUpdate,
  frameProposal,
  touched,
} from './malformed.ts'
import { add, Party, type PartyOptions, remove } from './party.ts'
import { expectCommitRefused, expectRejected, type RefusalCode, refusal } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'mallory']

const key = new Secret(utf8('a key that everybody has'))
/** A group in which MLS's own rules stand alone. */
const permissive: PartyOptions = {
  policy: permissivePolicy,
  extensions: [],
  environment: { preSharedKey: () => key },
}

function psk(change: Partial<Extract<PreSharedKeyId, { pskType: 2 }>> = {}): Proposal {
  return {
    proposalType: ProposalType.psk,
    psk: {
      pskType: PskType.resumption,
      usage: ResumptionPskUsage.application,
      pskGroupId: utf8('group'),
      pskEpoch: 7n,
      pskNonce: new Uint8Array(32).fill(1),
      ...change,
    },
  }
}

function contextExtensions(extensions: Extensions): Proposal {
  return { proposalType: ProposalType.groupContextExtensions, extensions }
}

const reInit: Proposal = {
  proposalType: ProposalType.reInit,
  groupId: utf8('next'),
  version: 1,
  cipherSuite: 1,
  extensions: [],
}
const externalInit: Proposal = { proposalType: ProposalType.externalInit, kemOutput: emptyBytes }

/** A proposal that everyone receives, and its reference. */
async function cached(
  party: Party,
  proposal: Proposal,
  { sender, signer }: { sender?: Sender; signer?: Epoch['signer'] } = {},
): Promise<ProposalOrRef> {
  const message = await frameProposal(await mallorys(party), proposal, {
    ...(sender === undefined ? {} : { sender }),
    ...(signer === undefined ? {} : { signer }),
  })
  return byReference(await party.cache(message))
}

function mallorys(party: Party): Promise<Epoch> {
  return epochOf(party.group('mallory'))
}

async function expectListRefused(
  party: Party,
  proposals: readonly ProposalOrRef[],
  code: RefusalCode,
): Promise<void> {
  const forged = await forgeCommit(await mallorys(party), { proposals, psks: anyPsk })
  await expectCommitRefused(party, 'mallory', forged, code)
}

const anyPsk = new Map([['', key]])

describe('a proposal', () => {
  it.each<[string, Proposal, RefusalCode]>([
    ['Remove of nobody (valn0701)', remove(1000 as LeafIndex), 'proposal-removes-blank-leaf'],
    [
      'Remove far beyond every tree (valn0701)',
      remove(0xffffffff as LeafIndex),
      'proposal-removes-blank-leaf',
    ],
    [
      'PreSharedKey for a reinitialisation (valn0801)',
      psk({ usage: ResumptionPskUsage.reInit }),
      'proposal-psk-invalid',
    ],
    [
      'PreSharedKey for a branch (valn0802)',
      psk({ usage: ResumptionPskUsage.branch }),
      'proposal-psk-invalid',
    ],
    [
      'PreSharedKey with a usage that nobody knows (valn0802)',
      psk({ usage: 9 }),
      'proposal-psk-invalid',
    ],
    [
      'PreSharedKey with a short nonce (valn0803)',
      psk({ pskNonce: new Uint8Array(31) }),
      'proposal-psk-invalid',
    ],
    [
      'PreSharedKey with a long nonce (valn0803)',
      psk({ pskNonce: new Uint8Array(33) }),
      'proposal-psk-invalid',
    ],
    ['ReInit to an older version (valn0901)', { ...reInit, version: 0 }, 'proposal-reinit-invalid'],
    ['ExternalInit of a member (valn0310)', externalInit, 'proposals-external-init-misplaced'],
    [
      'GroupContextExtensions with one twice (valn1603)',
      contextExtensions([0x3a3a, 0x3a3a].map((type) => unread(type))),
      'extension-duplicate',
    ],
    [
      "GroupContextExtensions with a leaf's (valn1603)",
      contextExtensions([unread(ExtensionType.applicationId)]),
      'extension-misplaced',
    ],
    [
      'GroupContextExtensions with capabilities that cannot be read (valn1603)',
      contextExtensions([unread(ExtensionType.requiredCapabilities)]),
      'extension-malformed',
    ],
    [
      'GroupContextExtensions with senders that cannot be read (valn1603)',
      contextExtensions([unread(ExtensionType.externalSenders)]),
      'extension-malformed',
    ],
  ])('%s is refused by itself and in a commit (valn0301)', async (_, proposal, code) => {
    const party = await Party.of(names, permissive)
    const message = await frameProposal(await mallorys(party), proposal)
    await expectRejected(party, 'mallory', message, code)
    await expectListRefused(party, [byValue(proposal)], code)
    const honest = party.group('alice').commit({
      proposals: [proposal],
      authenticatedData: emptyBytes,
    })
    await expect(honest).rejects.toEqual(refusal(code))
  })

  it('Remove of a leaf that was left blank is refused (valn0701)', async () => {
    const party = await Party.of(names, permissive)
    const gone = party.leaf('bob')
    await party.commit('alice', [remove(gone)])
    await expectListRefused(party, [byValue(remove(gone))], 'proposal-removes-blank-leaf')
  })

  it('Add with a KeyPackage that is not valid is refused in a commit (valn0501)', async () => {
    const party = await Party.of(names)
    const keyPackage = await forgeNewcomer(party, {})
    const forged = { ...keyPackage, signature: touched(keyPackage.signature) }
    await expectListRefused(party, [byValue(add(forged))], 'key-package-signature-invalid')
  })

  it('Update with a leaf that is not valid is refused in its message (valn0601)', async () => {
    const party = await Party.of(names)
    const epoch = await mallorys(party)
    const update = await forgeUpdate(epoch, (leaf) => ({
      ...leaf,
      capabilities: { ...leaf.capabilities, proposals: [] },
    }))
    const message = await frameProposal(epoch, update)
    await expectRejected(party, 'mallory', message, 'leaf-capabilities-insufficient')
  })

  it('is accepted where all of it is right, each type that a member may propose', async () => {
    const party = await Party.of(names, permissive)
    const epoch = await mallorys(party)
    for (const proposal of [
      add(await forgeNewcomer(party, {})),
      await forgeUpdate(epoch),
      remove(party.leaf('bob')),
      psk(),
      reInit,
      contextExtensions([]),
      { proposalType: ProposalType.selfRemove } as const,
    ]) {
      await cached(party, proposal)
    }
    expect(party.group('alice').public.proposals.size).toBe(7)
  })
})

describe('a list of proposals', () => {
  it('with an Update by the committer is refused, by value and by reference (valn0302)', async () => {
    const party = await Party.of(names)
    const code = 'proposals-update-by-committer'
    const update = await forgeUpdate(await mallorys(party))
    await expectListRefused(party, [await cached(party, update)], code)
    const now = await forgeUpdate(await mallorys(party))
    await expectListRefused(party, [byValue(now)], code)
  })

  it('with a removal of the committer is refused (valn0303)', async () => {
    const party = await Party.of(names)
    const asked = await cached(party, remove(party.leaf('mallory')), byKeyserver(party))
    await expectListRefused(party, [asked], 'proposals-remove-committer')
    const leaving = await party.cache(await party.group('mallory').proposeSelfRemove())
    await expectListRefused(party, [byReference(leaving)], 'proposals-remove-committer')
  })

  it.each<[string, readonly ('removal' | 'leave' | 'update')[]]>([
    ['a Remove and a SelfRemove', ['removal', 'leave']],
    ['a Remove and an Update', ['removal', 'update']],
    ['an Update and a SelfRemove', ['update', 'leave']],
    ['two Updates', ['update', 'update']],
  ])('with %s of the same leaf is refused (valn0304)', async (_, kinds) => {
    const party = await Party.of(names)
    const list: ProposalOrRef[] = []
    for (const kind of kinds) list.push(await bobs[kind](party))
    // Nobody has the key of bob's forged Update, so he cannot follow who commits it.
    party.participants = [...party.others('bob')]
    await expectListRefused(party, list, 'proposals-same-leaf-twice')
  })

  it('with the same reference twice is refused (valn0304)', async () => {
    const party = await Party.of(names)
    const once = await bobs.leave(party)
    await expectListRefused(party, [once, once], 'proposals-same-leaf-twice')
  })

  it('prefers, when honest, a SelfRemove over a Remove over the newest Update (valn0304)', async () => {
    const party = await Party.of(names)
    const chosen = async () => {
      const pending = await party.group('alice').commit({ authenticatedData: emptyBytes })
      pending.discard()
      return pending.effect.proposals.all.map(({ proposal }) => encode(Proposal, proposal))
    }
    await bobs.update(party)
    const epoch = await epochOf(party.group('bob'))
    const newest = await forgeUpdate(epoch)
    await party.cache(await frameProposal(epoch, newest))
    expect(await chosen()).toEqual([encode(Proposal, newest)])
    await bobs.removal(party)
    expect(await chosen()).toEqual([encode(Proposal, remove(party.leaf('bob')))])
    await bobs.leave(party)
    const selfRemove = { proposalType: ProposalType.selfRemove } as const
    expect(await chosen()).toEqual([encode(Proposal, selfRemove)])
  })

  it('that adds a client twice is refused (valn0305)', async () => {
    const party = await Party.of(names)
    const erin = await party.person('erin')
    const adds = await Promise.all([party.keyPackage(erin), party.keyPackage(erin)])
    const list = adds.map(({ keyPackage }) => byValue(add(keyPackage)))
    await expectListRefused(party, list, 'proposals-same-client-twice')
  })

  it('that adds a member is refused, unless it removes it as well (valn0306)', async () => {
    const party = await Party.of(names)
    const { keyPackage } = await party.keyPackage(party.at('bob').person)
    const again = byValue(add(keyPackage))
    await expectListRefused(party, [again], 'proposals-client-already-member')
    const asked = await bobs.removal(party)
    const forged = await forgeCommit(await mallorys(party), { proposals: [again, asked] })
    await party.deliver(forged.message, party.others('mallory', 'bob'))
    expect(party.group('alice').members).toHaveLength(4)
  })

  it('that names a pre-shared key twice is refused (valn0307)', async () => {
    const party = await Party.of(names, permissive)
    const list = [psk(), psk()].map(byValue)
    await expectListRefused(party, list, 'proposals-same-psk-twice')
  })

  it('with two GroupContextExtensions is refused (valn0308)', async () => {
    const party = await Party.of(names, permissive)
    const list = [contextExtensions([]), contextExtensions([])].map(byValue)
    await expectListRefused(party, list, 'proposals-several-context-extensions')
  })

  it('with a ReInit and anything else is refused (valn0309)', async () => {
    const party = await Party.of(names, permissive)
    const list = [reInit, remove(party.leaf('bob'))].map(byValue)
    await expectListRefused(party, list, 'proposals-reinit-not-alone')
    await expectListRefused(party, [reInit, reInit].map(byValue), 'proposals-reinit-not-alone')
  })

  it('with a type that a member does not support is refused (valn0311)', async () => {
    const party = await Party.of(names, permissive)
    const erin = await party.person('erin')
    const { capabilities } = erin.own
    const simple = {
      ...erin,
      own: { ...erin.own, capabilities: { ...capabilities, proposals: [] } },
    }
    await party.addPeople('alice', [simple])
    const leaving = await bobs.leave(party)
    await expectListRefused(party, [leaving], 'proposal-type-unsupported')
    // Who is removed by the commit need not know the type.
    const again = await bobs.leave(party)
    const forged = await forgeCommit(await mallorys(party), {
      proposals: [again, byValue(remove(party.leaf('erin')))],
    })
    await party.deliver(forged.message, party.others('mallory', 'bob', 'erin'))
    expect(party.group('alice').members).toHaveLength(3)
  })

  it('that would leave an invalid tree is refused (valn0312)', async () => {
    const party = await Party.of(names)
    await party.commit('bob')
    const [root] = party.group('alice').public.tree.parents()
    const inner = party.group('alice').public.tree.parents().at(-1)
    expect(inner).not.toBe(root)
    const keyPackage = await forgeNewcomer(party, {
      leaf: (leaf) => ({ ...leaf, encryptionKey: inner?.encryptionKey ?? emptyBytes }),
    })
    await expectListRefused(party, [byValue(add(keyPackage))], 'tree-key-duplicate')
  })

  it('that requires what a member cannot do is refused (valn1001)', async () => {
    const party = await Party.of(names, permissive)
    const required = (type: number): Extensions => [
      {
        extensionType: ExtensionType.requiredCapabilities,
        extensionData: encode(RequiredCapabilities, {
          extensionTypes: [type],
          proposalTypes: [],
          credentialTypes: [],
        }),
      },
    ]
    // mallory herself could do it.
    const leaf = (own: LeafNodeContent): LeafNodeContent => ({
      ...own,
      capabilities: { ...own.capabilities, extensions: [0xf000, 0xf001, 0x1a1a, 0x7a7a] },
    })
    for (const extensions of [required(0x7a7a), [unread(0x7a7a)]]) {
      const proposals = [byValue(contextExtensions(extensions))]
      const forged = await forgeCommit(await mallorys(party), { proposals, leaf })
      await expectCommitRefused(party, 'mallory', forged, 'proposal-extensions-unsupported')
    }

    // New requirements hold for who is added by the same commit, and not for who is removed.
    const keyPackage = await forgeNewcomer(party, {
      leaf: (leaf) => ({
        ...leaf,
        capabilities: { ...leaf.capabilities, extensions: [0xf000, 0xf001] },
      }),
    })
    const possible = byValue(contextExtensions(required(0x1a1a)))
    await expectListRefused(
      party,
      [possible, byValue(add(keyPackage))],
      'proposal-extensions-unsupported',
    )
    await party.commit('alice', [contextExtensions(required(0x1a1a))])
    expect(party.group('carol').groupContext.extensions).toHaveLength(1)
  })

  it('that names a proposal which nobody has seen is refused (valn1204)', async () => {
    const party = await Party.of(names)
    const list = [byReference(new Uint8Array(32))]
    await expectListRefused(party, list, 'proposal-unknown-reference')
    const long = [byReference(new Uint8Array(100_000))]
    await expectListRefused(party, long, 'proposal-unknown-reference')
  })

  it('that names a proposal of the epoch before is refused', async () => {
    const party = await Party.of(names)
    const stale = await bobs.leave(party)
    const forged = await forgeCommit(await epochOf(party.group('mallory')), {})
    await party.deliver(forged.message, party.others('mallory'))
    party.participants = [...party.others('mallory')]
    const { message } = await forgeCommit(await epochOf(party.group('carol')), {
      proposals: [stale],
    })
    await expectRejected(party, 'carol', message, 'proposal-unknown-reference')
  })

  it('with a SelfRemove by value is refused', async () => {
    const party = await Party.of(names)
    const own = byValue({ proposalType: ProposalType.selfRemove })
    await expectListRefused(party, [own], 'proposal-self-remove-by-value')
  })
})

/** Proposals that concern bob's leaf, received by everyone. */
const bobs = {
  removal: (party: Party) => cached(party, remove(party.leaf('bob')), byKeyserver(party)),
  leave: async (party: Party) =>
    byReference(await party.cache(await party.group('bob').proposeSelfRemove())),
  update: async (party: Party) => {
    const epoch = await epochOf(party.group('bob'))
    return byReference(await party.cache(await frameProposal(epoch, await forgeUpdate(epoch))))
  },
}

function byKeyserver(party: Party) {
  const sender: Sender = { senderType: SenderType.external, senderIndex: 0 }
  return { sender, signer: party.keyserver }
}

function unread(extensionType: number) {
  return { extensionType, extensionData: utf8('?') }
}
