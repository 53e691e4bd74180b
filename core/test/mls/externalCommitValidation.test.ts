import { describe, expect, it } from 'vitest'
import { type Bytes, emptyBytes, equalBytes, utf8 } from '../../src/codec/bytes.ts'
import { MlsError, permissivePolicy } from '../../src/mls/public/index.ts'
import type {
  LeafIndex,
  LeafNodeContent,
  PreSharedKeyId,
  Proposal,
  ProposalOrRef,
} from '../../src/wire/index.ts'
import {
  CredentialType,
  LeafNodeSource,
  ProposalType,
  PskType,
  ResumptionPskUsage,
  SenderType,
} from '../../src/wire/registry.ts'
import {
  byReference,
  byValue,
  epochOf,
  forgeNewcomer,
  forgeUpdate,
  frameProposal,
  touched,
} from './malformed.ts'
import { type ExternalProposals, forgeExternalCommit } from './malformedExternal.ts'
import { add, Party, type PartyOptions, publicMessageIn, remove } from './party.ts'
import { expectCommitRefused, expectRejected, type RefusalCode } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'mallory']
const permissive: PartyOptions = { policy: permissivePolicy, extensions: [] }

/** What erin forges with what mallory tells her. */
type Plan = Parameters<typeof forgeExternalCommit>[2]

async function forged(party: Party, plan: Plan = {}) {
  const erin = await party.person('erin')
  return forgeExternalCommit(await epochOf(party.group('mallory')), erin.own, plan)
}

async function expectRefused(party: Party, plan: Plan, code: RefusalCode): Promise<void> {
  await expectCommitRefused(party, '', await forged(party, plan), code)
}

const newInit = (kemOutput = new Uint8Array(32).fill(9)): ProposalOrRef =>
  byValue({ proposalType: ProposalType.externalInit, kemOutput })

it('an external commit that was forged without any fault is accepted, so that each fault counts', async () => {
  const party = await Party.of(names, permissive)
  const leaving = byReference(await party.cache(await party.group('bob').proposeSelfRemove()))
  const { message, groupInfo, context } = await forged(party, {
    proposals: (init) => [init, byValue(remove(party.leaf('mallory'))), leaving],
  })
  const follower = party.group('alice').public
  const accepted = await follower.withCommit(publicMessageIn(message), groupInfo)
  expect(accepted).toMatchObject({ committer: 1, removed: [3, 1] })
  await party.deliver(message)
  expect(party.participants.map(({ person }) => person.name)).toEqual(['alice', 'carol'])
  expect(party.group('carol').groupContext).toEqual(context)
})

describe('an external commit', () => {
  it.each<[string, ExternalProposals]>([
    ['no ExternalInit', () => []],
    ['two', (init) => [init, newInit()]],
    ['the same one twice', (init) => [init, init]],
  ])('with %s is refused (valn0401)', async (_, proposals) => {
    const party = await Party.of(names, permissive)
    await expectRefused(party, { proposals }, 'external-commit-init-count')
  })

  it.each([
    ['of no length', emptyBytes],
    ['cut short', new Uint8Array(31).fill(9)],
    ['of the order one', new Uint8Array(32)],
  ])('with a kem_output %s is refused (valn0401)', async (_, kemOutput) => {
    const party = await Party.of(names, permissive)
    const { message } = await forged(party, { proposals: () => [newInit(kemOutput)] })
    await expectRejected(party, '', message, 'external-commit-init-invalid')
  })

  it('that removes two leaves is refused (valn0402)', async () => {
    const party = await Party.of(names, permissive)
    await expectRefused(
      party,
      {
        proposals: (init) => [
          init,
          byValue(remove(party.leaf('bob'))),
          byValue(remove(party.leaf('carol'))),
        ],
      },
      'external-commit-several-removes',
    )
  })

  it.each([
    ['nobody', 1000],
    ['a leaf far beyond every tree', 0xffffffff],
  ])('that replaces %s is refused (valn0402)', async (_, leaf) => {
    const party = await Party.of(names, permissive)
    const proposals: ExternalProposals = (init) => [init, byValue(remove(leaf as LeafIndex))]
    await expectRefused(party, { proposals }, 'proposal-removes-blank-leaf')
  })

  it.each([
    ['first', 'alice'],
    ['last', 'mallory'],
  ])(
    'that removes the %s leaf twice is refused, where it asked to leave (valn0402)',
    async (_, name) => {
      for (const again of ['by its reference', 'as a Remove']) {
        const party = await Party.of(['alice', 'bob', 'mallory'], permissive)
        const leaving = byReference(await party.cache(await party.group(name).proposeSelfRemove()))
        const second = again === 'as a Remove' ? byValue(remove(party.leaf(name))) : leaving
        const proposals: ExternalProposals = (init) => [init, leaving, second]
        await expectRefused(party, { proposals }, 'proposals-same-leaf-twice')
      }
    },
  )

  it.each<[string, (leaf: LeafNodeContent, key: Bytes) => LeafNodeContent, RefusalCode]>([
    [
      'keeps its encryption key',
      (leaf, encryptionKey) => ({ ...leaf, encryptionKey }),
      'commit-path-key-unchanged',
    ],
    [
      'says that it is an Update',
      (leaf) => ({ ...leaf, leafNodeSource: LeafNodeSource.update }),
      'leaf-source-wrong',
    ],
    [
      'is somebody else by the policy',
      (leaf) => ({
        ...leaf,
        credential: { credentialType: CredentialType.basic, identity: utf8('bob?') },
      }),
      'leaf-credential-unsupported',
    ],
    [
      'does not list its own credential',
      (leaf) => ({ ...leaf, capabilities: { ...leaf.capabilities, credentials: [] } }),
      'leaf-credential-unlisted',
    ],
  ])('that replaces a leaf by one that %s is refused (valn0402)', async (_, change, code) => {
    const party = await Party.of(names, {
      ...permissive,
      policy: {
        ...permissivePolicy,
        checkLeaf: async (_crypto, { credential }, _context, previous) => {
          const { credential: before } = previous ?? {}
          if (before?.credentialType !== CredentialType.basic) return
          const same =
            credential.credentialType === CredentialType.basic &&
            equalBytes(credential.identity, before.identity)
          if (!same) throw new MlsError('leaf-credential-unsupported', 'not the same client')
        },
      },
    })
    const [, bob] = party.group('alice').members
    if (bob === undefined) throw new Error('bob is a member')
    const { credential, encryptionKey } = bob.leafNode
    await expectRefused(
      party,
      {
        proposals: (init) => [init, byValue(remove(bob.leafIndex))],
        leaf: (leaf) => change({ ...leaf, credential }, encryptionKey),
      },
      code,
    )
  })

  it.each<[string, (party: Party) => Promise<Proposal>]>([
    ['an Add', async (party) => add(await forgeNewcomer(party, {}))],
    ['an Update', async (party) => forgeUpdate(await epochOf(party.group('mallory')))],
    [
      'a ReInit',
      async () => ({
        proposalType: ProposalType.reInit,
        groupId: utf8('next'),
        version: 1,
        cipherSuite: 1,
        extensions: [],
      }),
    ],
    [
      'GroupContextExtensions',
      async () => ({ proposalType: ProposalType.groupContextExtensions, extensions: [] }),
    ],
    [
      'a proposal of a custom type',
      async () => ({
        proposalType: ProposalType.custom,
        customType: 0x2a2a,
        proposalData: emptyBytes,
      }),
    ],
  ])('with %s is refused (valn0404)', async (_, make) => {
    const party = await Party.of(names, permissive)
    const proposal = byValue(await make(party))
    await expectRefused(
      party,
      { proposals: (init) => [init, proposal] },
      'external-commit-proposal-not-allowed',
    )
  })

  it.each([
    ['a reinitialisation (valn0801)', ResumptionPskUsage.reInit],
    ['a branch (valn0802)', ResumptionPskUsage.branch],
    ['what nobody knows', 9],
  ])('with a pre-shared key for %s is refused', async (_, usage) => {
    const party = await Party.of(names, permissive)
    const { groupId, epoch } = party.group('alice')
    const psk: PreSharedKeyId = {
      pskType: PskType.resumption,
      usage,
      pskGroupId: groupId,
      pskEpoch: epoch,
      pskNonce: new Uint8Array(32),
    }
    const proposal = byValue({ proposalType: ProposalType.psk, psk })
    await expectRefused(party, { proposals: (init) => [init, proposal] }, 'proposal-psk-invalid')
  })

  it('with a SelfRemove by value is refused (valn0404)', async () => {
    const party = await Party.of(names, permissive)
    const own = byValue({ proposalType: ProposalType.selfRemove })
    await expectRefused(
      party,
      { proposals: (init) => [init, own] },
      'proposal-self-remove-by-value',
    )
  })

  it('without a path is refused, since nothing says who signs it (valn0405)', async () => {
    const party = await Party.of(names, permissive)
    await expectRefused(party, { path: () => undefined }, 'message-sender-not-allowed')
  })

  it('whose path begins at another leaf than the leftmost free one is refused (valn0405)', async () => {
    const party = await Party.of(names, permissive)
    await party.commit('alice', [remove(party.leaf('bob'))])
    for (const [leafPosition, code] of [
      [5 as LeafIndex, 'leaf-signature-invalid'],
      [0 as LeafIndex, 'leaf-signature-invalid'],
    ] as const) {
      await expectRefused(party, { leafPosition }, code)
    }
    // As it would be one leaf further, in a doubled tree.
    const longer = await forged(party, {
      path: (path) => ({ ...path, nodes: [...path.nodes, ...path.nodes.slice(-1)] }),
    })
    await expectCommitRefused(party, '', longer, 'commit-path-length-wrong')
  })

  it.each<[string, (party: Party) => Promise<Proposal>]>([
    ['a Remove', async (party) => remove(party.leaf('bob'))],
    ['an Add', async (party) => add(await forgeNewcomer(party, {}))],
    ['an Update', async (party) => forgeUpdate(await epochOf(party.group('mallory')))],
    [
      'a PreSharedKey',
      async () => ({
        proposalType: ProposalType.psk,
        psk: { pskType: 1, pskId: utf8('key'), pskNonce: new Uint8Array(32) },
      }),
    ],
  ])('that refers to %s is refused (valn0406)', async (_, make) => {
    const party = await Party.of(names, permissive)
    const epoch = await epochOf(party.group('mallory'))
    const message = await frameProposal(epoch, await make(party))
    const reference = byReference(await party.cache(message))
    await expectRefused(
      party,
      { proposals: (init) => [init, reference] },
      'external-commit-reference',
    )
  })

  it('that refers to what nobody has proposed is refused (valn0406)', async () => {
    const party = await Party.of(names, permissive)
    const proposals: ExternalProposals = (init) => [init, byReference(new Uint8Array(32))]
    await expectRefused(party, { proposals }, 'proposal-unknown-reference')
  })

  it('that another key has signed than the one of its leaf is refused (valn0407)', async () => {
    const party = await Party.of(names, permissive)
    const { signer } = party.at('mallory').person.own
    await expectRefused(party, { signer }, 'message-signature-invalid')
    await expectRefused(party, { leafSigner: signer }, 'leaf-signature-invalid')
    const auth: NonNullable<Plan>['auth'] = (of) => ({ ...of, signature: touched(of.signature) })
    await expectRefused(party, { auth }, 'message-signature-invalid')
  })

  it('that a member sends as its own is refused (valn0408)', async () => {
    const party = await Party.of(names, permissive)
    const { person, group } = party.at('mallory')
    const sender = { senderType: SenderType.member, leafIndex: group.leafIndex }
    await expectRefused(
      party,
      { content: (content) => ({ ...content, sender }), signer: person.own.signer },
      'proposals-external-init-misplaced',
    )
  })

  it.each([
    ['an external sender', { senderType: SenderType.external, senderIndex: 0 }],
    ['somebody who proposes itself', { senderType: SenderType.newMemberProposal }],
  ] as const)('in the name of %s is refused (valn0408)', async (_, sender) => {
    const party = await Party.of(names)
    const content: NonNullable<Plan>['content'] = (of) => ({ ...of, sender })
    await expectRefused(party, { content }, 'message-sender-not-allowed')
  })

  it('of somebody who is a member already is refused, unless it replaces the leaf (valn0306)', async () => {
    const party = await Party.of(names, permissive)
    const { own } = party.at('bob').person
    const epoch = () => epochOf(party.group('mallory'))
    const second = await forgeExternalCommit(await epoch(), own)
    await expectCommitRefused(party, '', second, 'proposals-client-already-member')
    const instead = await forgeExternalCommit(await epoch(), own, {
      proposals: (init) => [init, byValue(remove(party.leaf('bob')))],
    })
    await party.deliver(instead.message)
    expect(party.group('alice').members).toHaveLength(4)
  })

  it('whose secrets are not those of its kem_output is refused', async () => {
    const party = await Party.of(names, permissive)
    const { message } = await forged(party, { proposals: () => [newInit()] })
    await expectRejected(party, '', message, 'commit-confirmation-tag-invalid')
  })
})
