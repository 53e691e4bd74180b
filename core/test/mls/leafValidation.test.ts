import { describe, expect, it } from 'vitest'
import { emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { signWithLabel } from '../../src/crypto/secret/index.ts'
import { memberExtension, memberLabel, memberTbs } from '../../src/meeting/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import type { KeyPackageTbs, LeafIndex, LeafNodeContent } from '../../src/wire/index.ts'
import { CredentialType, ExtensionType, LeafNodeSource } from '../../src/wire/registry.ts'
import {
  byValue,
  epochOf,
  forgeCommit,
  forgeKeyPackage,
  forgeNewcomer,
  forgeUpdate,
  frameProposal,
  touched,
} from './malformed.ts'
import { add, meetingId, Party } from './party.ts'
import { expectCommitRefused, expectRejected, type RefusalCode, refusal } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'mallory']

type LeafChange = (leaf: LeafNodeContent) => LeafNodeContent

/** The roads by which a leaf gets into the tree; each takes what mallory makes of an honest one. */
const roads: Readonly<
  Record<
    'an Add' | 'an Add by value' | 'an Update' | 'a path',
    (party: Party, change: LeafChange, code: RefusalCode) => Promise<void>
  >
> = {
  'an Add': async (party, change, code) => {
    const message = await frameProposal(
      await mallorys(party),
      add(await forgeNewcomer(party, { leaf: change })),
    )
    await expectRejected(party, 'mallory', message, code)
  },
  'an Add by value': async (party, change, code) => {
    const keyPackage = await forgeNewcomer(party, { leaf: change })
    const forged = await forgeCommit(await mallorys(party), {
      proposals: [byValue(add(keyPackage))],
    })
    // Nor would anybody honest make such a commit.
    const honest = party.group('alice').commit({
      proposals: [add(keyPackage)],
      authenticatedData: emptyBytes,
    })
    await expect(honest).rejects.toEqual(refusal(code))
    await expectCommitRefused(party, 'mallory', forged, code)
  },
  'an Update': async (party, change, code) => {
    const epoch = await mallorys(party)
    const message = await frameProposal(epoch, await forgeUpdate(epoch, change))
    await expectRejected(party, 'mallory', message, code)
  },
  'a path': async (party, change, code) => {
    const forged = await forgeCommit(await mallorys(party), { leaf: change })
    await expectCommitRefused(party, 'mallory', forged, code)
  },
}

function mallorys(party: Party) {
  return epochOf(party.group('mallory'))
}

const incapable =
  (missing: Partial<LeafNodeContent['capabilities']>): LeafChange =>
  (leaf) => ({ ...leaf, capabilities: { ...leaf.capabilities, ...missing } })

const bearing =
  (extensionType: number, extensionData = emptyBytes): LeafChange =>
  (leaf) => ({ ...leaf, extensions: [...leaf.extensions, { extensionType, extensionData }] })

interface WrongLeaf {
  readonly what: string
  readonly check: string
  readonly code: RefusalCode
  readonly change: LeafChange
}

const wrongLeaves: readonly WrongLeaf[] = [
  {
    what: 'is not certified by its device',
    check: 'valn0101',
    code: 'member-extension-invalid',
    change: (leaf) => ({ ...leaf, extensions: [] }),
  },
  {
    what: 'has a credential that nothing checks',
    check: 'valn0101',
    code: 'member-credential-unsupported',
    change: (leaf) => ({
      ...leaf,
      credential: { credentialType: CredentialType.x509, certificates: [] },
      capabilities: { ...leaf.capabilities, credentials: [1, 2] },
    }),
  },
  {
    what: 'is larger than a member may be',
    check: 'valn0101',
    code: 'member-too-large',
    change: (leaf) => ({
      ...leaf,
      credential: { credentialType: CredentialType.basic, identity: new Uint8Array(9000) },
    }),
  },
  {
    what: 'lacks a required proposal type',
    check: 'valn0103',
    code: 'leaf-capabilities-insufficient',
    change: incapable({ proposals: [] }),
  },
  {
    what: "lacks an extension type of the group's",
    check: 'valn0103',
    code: 'leaf-capabilities-insufficient',
    change: incapable({ extensions: [0xf001] }),
  },
  {
    what: "does not list the group's suite",
    check: 'valn0103',
    code: 'leaf-version-unsupported',
    change: incapable({ cipherSuites: [2] }),
  },
  {
    what: "does not list the group's version",
    check: 'valn0103',
    code: 'leaf-version-unsupported',
    change: incapable({ versions: [2] }),
  },
  {
    what: 'bears an extension that it does not list',
    check: 'valn0107',
    code: 'leaf-extension-unlisted',
    change: bearing(0x5a5a),
  },
  {
    what: 'does not list its own credential type',
    check: 'valn0113',
    code: 'leaf-credential-unlisted',
    change: incapable({ credentials: [2] }),
  },
  {
    what: 'bears an extension twice',
    check: 'valn1601',
    code: 'extension-duplicate',
    change: (leaf) => bearing(0x1a1a)(bearing(0x1a1a)(leaf)),
  },
  {
    what: "bears a GroupContext's extension",
    check: 'valn1601',
    code: 'extension-misplaced',
    change: bearing(ExtensionType.externalSenders),
  },
  {
    what: "bears a GroupInfo's extension",
    check: 'valn1601',
    code: 'extension-misplaced',
    change: bearing(ExtensionType.ratchetTree),
  },
]

describe.each(Object.entries(roads))('%s', (_, refuses) => {
  it.each(wrongLeaves)('whose leaf $what is refused ($check)', async ({ change, code }) => {
    await refuses(await Party.of(names), change, code)
  })
})

describe('a leaf', () => {
  it('that is as it should be is accepted by every road, with GREASE and an application id', async () => {
    const party = await Party.of(names)
    const change = (leaf: LeafNodeContent) =>
      bearing(ExtensionType.applicationId, utf8('device 1'))(bearing(0x1a1a)(leaf))
    await party.deliver(
      await frameProposal(await mallorys(party), add(await forgeNewcomer(party, { leaf: change }))),
    )
    const epoch = await mallorys(party)
    const update = await frameProposal(epoch, await forgeUpdate(epoch, change))
    await party.deliver(update, party.others('mallory'))
    const forged = await forgeCommit(epoch, { leaf: change })
    await party.deliver(forged.message, party.others('mallory'))
    expect(party.group('alice').epoch).toBe(2n)
  })

  it('with a signature that does not verify is refused by every road (valn0102)', async () => {
    const party = await Party.of(names)
    const epoch = await mallorys(party)
    const erin = await party.person('erin')
    const { keyPackage } = await party.keyPackage(erin)
    const bad = <T extends { readonly signature: Uint8Array<ArrayBuffer> }>(leaf: T): T => ({
      ...leaf,
      signature: touched(leaf.signature),
    })
    // The KeyPackage around the leaf is signed well.
    const outside = (content: KeyPackageTbs) => ({ ...content, leafNode: bad(content.leafNode) })
    const forged = await forgeKeyPackage(erin.own.signer, keyPackage, { outside })
    const added = await frameProposal(epoch, add(forged))
    await expectRejected(party, 'mallory', added, 'leaf-signature-invalid')

    const now = await mallorys(party)
    const update = await forgeUpdate(now)
    const updated = await frameProposal(now, { ...update, leafNode: bad(update.leafNode) })
    await expectRejected(party, 'mallory', updated, 'leaf-signature-invalid')

    const commit = await forgeCommit(await mallorys(party), {
      path: (path) => ({ ...path, leafNode: bad(path.leafNode) }),
    })
    await expectCommitRefused(party, 'mallory', commit, 'leaf-signature-invalid')
  })

  it('signed for another place in the tree is refused (valn0102)', async () => {
    const party = await Party.of(names)
    const epoch = await mallorys(party)
    const elsewhere = 0 as LeafIndex
    const update = await frameProposal(epoch, await forgeUpdate(epoch, undefined, elsewhere))
    await expectRejected(party, 'mallory', update, 'leaf-signature-invalid')
    const commit = await forgeCommit(await mallorys(party), { leafPosition: elsewhere })
    await expectCommitRefused(party, 'mallory', commit, 'leaf-signature-invalid')
  })

  it('whose credential not everybody can read is refused once it would be in the tree (valn0104)', async () => {
    const party = await Party.of(names, { policy: permissivePolicy, extensions: [] })
    const withX509 =
      (...credentials: readonly number[]): LeafChange =>
      (leaf) => ({
        ...leaf,
        credential: { credentialType: CredentialType.x509, certificates: [] },
        capabilities: { ...leaf.capabilities, credentials },
      })
    const keyPackage = await forgeNewcomer(party, { leaf: withX509(1, 2) })
    const forged = await forgeCommit(await mallorys(party), {
      proposals: [byValue(add(keyPackage))],
    })
    await expectCommitRefused(party, 'mallory', forged, 'leaf-credential-unsupported')
    const blind = await forgeNewcomer(party, { leaf: withX509(2) })
    const other = await forgeCommit(await mallorys(party), { proposals: [byValue(add(blind))] })
    await expectCommitRefused(party, 'mallory', other, 'leaf-credential-unsupported')
  })

  it.each([
    ['update', LeafNodeSource.update],
    ['commit', LeafNodeSource.commit],
  ] as const)('of an Add that says %s is refused (valn0108)', async (_, source) => {
    const party = await Party.of(names)
    const leaf: LeafChange = (honest) =>
      source === LeafNodeSource.commit
        ? { ...honest, leafNodeSource: source, parentHash: emptyBytes }
        : { ...honest, leafNodeSource: source }
    const keyPackage = await forgeNewcomer(party, { leaf })
    const message = await frameProposal(await mallorys(party), add(keyPackage))
    await expectRejected(party, 'mallory', message, 'leaf-source-wrong')
  })

  it.each([
    [
      'key_package',
      (leaf: LeafNodeContent, party: Party): LeafNodeContent => ({
        ...leaf,
        leafNodeSource: LeafNodeSource.keyPackage,
        lifetime: party.lifetime(),
      }),
    ],
    [
      'commit',
      (leaf: LeafNodeContent): LeafNodeContent => ({
        ...leaf,
        leafNodeSource: LeafNodeSource.commit,
        parentHash: emptyBytes,
      }),
    ],
  ] as const)('of an Update that says %s is refused (valn0109)', async (_, change) => {
    const party = await Party.of(names)
    const epoch = await mallorys(party)
    const update = await forgeUpdate(epoch, (leaf) => change(leaf, party))
    const message = await frameProposal(epoch, update)
    await expectRejected(party, 'mallory', message, 'leaf-source-wrong')
  })

  it('of an Update that keeps its encryption key is refused (valn0109)', async () => {
    const party = await Party.of(names)
    const epoch = await mallorys(party)
    const { encryptionKey } = epoch.public.tree.leafNode(epoch.leafIndex) ?? {}
    const update = await forgeUpdate(epoch, (leaf) => ({
      ...leaf,
      encryptionKey: encryptionKey ?? emptyBytes,
    }))
    const message = await frameProposal(epoch, update)
    await expectRejected(party, 'mallory', message, 'proposal-update-key-unchanged')
  })

  it('of a path that says update is refused (valn0110)', async () => {
    const party = await Party.of(names)
    const forged = await forgeCommit(await mallorys(party), {
      leaf: (leaf) => ({ ...leaf, leafNodeSource: LeafNodeSource.update }),
    })
    await expectCommitRefused(party, 'mallory', forged, 'leaf-source-wrong')
  })

  it("with another member's signature key is refused, even if that member helps (valn0111)", async () => {
    const party = await Party.of(names, { policy: permissivePolicy, extensions: [] })
    const { signer } = party.at('bob').person.own
    const forged = await forgeCommit(await mallorys(party), {
      leaf: (leaf) => ({ ...leaf, signatureKey: signer.publicKey }),
      leafSigner: signer,
    })
    await expectCommitRefused(party, 'mallory', forged, 'leaf-signature-key-duplicate')
  })

  it("with another member's encryption key is refused (valn0112)", async () => {
    const party = await Party.of(names)
    const [first] = party.group('alice').members
    const encryptionKey = first?.leafNode.encryptionKey ?? emptyBytes
    const keyPackage = await forgeNewcomer(party, { leaf: (leaf) => ({ ...leaf, encryptionKey }) })
    const forged = await forgeCommit(await mallorys(party), {
      proposals: [byValue(add(keyPackage))],
    })
    await expectCommitRefused(party, 'mallory', forged, 'leaf-encryption-key-duplicate')
  })

  it('that keeps its identity, signature key and device is the only one a member may put in its place', async () => {
    const party = await Party.of(names)
    const changed = 'member-changed'
    const renamed: LeafChange = (leaf) => ({
      ...leaf,
      credential: { credentialType: CredentialType.basic, identity: utf8('alice') },
    })
    await roads['an Update'](party, renamed, changed)
    await roads['a path'](party, renamed, changed)

    const { own } = party.at('mallory').person
    const device = await party.suite.generateSigner()
    const certified = memberTbs(meetingId, own.signer.publicKey)
    const extension = memberExtension({
      deviceKey: device.publicKey,
      deviceSignature: await signWithLabel(device, memberLabel, certified),
      ticket: undefined,
    })
    const moved: LeafChange = (leaf) => ({ ...leaf, extensions: [extension] })
    await roads['an Update'](party, moved, changed)
    await roads['a path'](party, moved, changed)

    // A person with a fresh key that the same device has certified.
    const { own: fresh } = await party.person('mallory')
    const commit = await forgeCommit(await mallorys(party), {
      leaf: (leaf) => ({
        ...leaf,
        signatureKey: fresh.signer.publicKey,
        extensions: fresh.extensions,
      }),
      leafSigner: fresh.signer,
    })
    await expectCommitRefused(party, 'mallory', commit, changed)
  })
})
