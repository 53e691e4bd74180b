import { describe, expect, it } from 'vitest'
import { emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import { Secret } from '../../src/crypto/secret/index.ts'
import { foundingExtensions, meetingPolicy } from '../../src/meeting/index.ts'
import type { KeyPackageBundle } from '../../src/mls/bootstrap/index.ts'
import { Group } from '../../src/mls/group/index.ts'
import { derivePskSecret } from '../../src/mls/treekem/preSharedKeys.ts'
import {
  type Extensions,
  type ExternalSender,
  ExternalSenders,
  type GroupContext,
  type GroupInfoTbs,
  type LeafIndex,
  type PreSharedKeyId,
  type Welcome,
} from '../../src/wire/index.ts'
import { ExtensionType, PskType, ResumptionPskUsage } from '../../src/wire/registry.ts'
import { expectJoinRefused, invented, joins, scene } from './inventedGroup.ts'
import { touched } from './malformed.ts'
import { meetingId } from './party.ts'
import { type RefusalCode, refusal } from './refusals.ts'

it('a Welcome that was forged without any fault is accepted, so that each fault counts', async () => {
  const of = await scene()
  const joined = await joins(of, await invented(of))
  expect(joined.groupContext).toEqual(of.alice.groupContext)
  expect(joined.leafIndex).toBe(2)
  const parents = of.alice.public.tree.parents()
  expect(parents.some(({ parentNode }) => parentNode?.unmergedLeaves.length)).toBe(true)
})

describe('a Welcome', () => {
  it('for somebody else is refused', async () => {
    const of = await scene()
    const other = await of.party.keyPackage(await of.party.person('mallory'))
    await expectJoinRefused(
      of,
      await invented(of, { newcomer: other.keyPackage }),
      'welcome-not-for-us',
    )
  })

  it.each<[string, (welcome: Welcome) => Welcome]>([
    [
      'secrets that do not open',
      (welcome) => ({
        ...welcome,
        secrets: welcome.secrets.map((secret) => ({
          ...secret,
          encryptedGroupSecrets: {
            ...secret.encryptedGroupSecrets,
            ciphertext: touched(secret.encryptedGroupSecrets.ciphertext),
          },
        })),
      }),
    ],
    [
      'secrets of no length',
      (welcome) => ({
        ...welcome,
        secrets: welcome.secrets.map((secret) => ({
          ...secret,
          encryptedGroupSecrets: { kemOutput: emptyBytes, ciphertext: emptyBytes },
        })),
      }),
    ],
    [
      'a GroupInfo that does not open',
      (welcome) => ({ ...welcome, encryptedGroupInfo: touched(welcome.encryptedGroupInfo) }),
    ],
    ['no GroupInfo', (welcome) => ({ ...welcome, encryptedGroupInfo: emptyBytes })],
  ])('with %s is refused', async (_, change) => {
    const of = await scene()
    const welcome = change(await invented(of))
    await expectJoinRefused(of, welcome, 'welcome-undecryptable')
  })

  it('whose GroupInfo is sealed under another key is refused', async () => {
    const of = await scene()
    const sealedUnder = new Secret(new Uint8Array(32).fill(7))
    await expectJoinRefused(of, await invented(of, { sealedUnder }), 'welcome-undecryptable')
  })

  const psk = (usage: number): PreSharedKeyId => ({
    pskType: PskType.resumption,
    usage,
    pskGroupId: utf8('group'),
    pskEpoch: 1n,
    pskNonce: new Uint8Array(32),
  })

  it('with a pre-shared key that we do not have is refused (valn1401)', async () => {
    const of = await scene()
    const psks = [psk(ResumptionPskUsage.application)]
    await expectJoinRefused(of, await invented(of, { psks }), 'welcome-psk-invalid')
  })

  it('with a pre-shared key that we have is accepted (valn1401)', async () => {
    const key = new Secret(new Uint8Array(32).fill(1))
    const of = await scene({ environment: { preSharedKey: () => key } })
    const id = psk(ResumptionPskUsage.application)
    const pskSecret = derivePskSecret(of.party.suite, [{ id, key }])
    const joined = await joins(of, await invented(of, { psks: [id], pskSecret }))
    expect(joined.groupContext).toEqual(of.alice.groupContext)
  })

  it('of another suite than its KeyPackage or its GroupInfo is refused (valn1404)', async () => {
    const of = await scene()
    const welcome = await invented(of)
    await expect(joins(of, { ...welcome, cipherSuite: 999 })).rejects.toEqual(
      refusal('suite-unsupported'),
    )
    const inside = await invented(of, { context: { ...of.alice.groupContext, cipherSuite: 3 } })
    await expectJoinRefused(of, inside, 'welcome-suite-mismatch')
  })

  it('whose KeyPackage is of another suite is refused (valn1404)', async () => {
    const of = await scene()
    const { bundle } = of
    const other: KeyPackageBundle = {
      ...bundle,
      keyPackage: { ...bundle.keyPackage, cipherSuite: 3 },
    }
    await expect(
      Group.join(of.party.environment, { welcome: await invented(of), bundle: other }),
    ).rejects.toEqual(refusal('welcome-suite-mismatch'))
  })

  it('whose confirmation tag is not the one of its epoch is refused (valn1411)', async () => {
    const of = await scene()
    for (const confirmationTag of [touched, () => emptyBytes]) {
      const welcome = await invented(of, { confirmationTag })
      await expect(joins(of, welcome)).rejects.toEqual(refusal('commit-confirmation-tag-invalid'))
    }
    await expectJoinRefused(
      of,
      await invented(of, { confirmationTag: touched }),
      'commit-confirmation-tag-invalid',
    )
  })

  it('with a path secret that leads to other keys is refused', async () => {
    const of = await scene()
    for (const length of [0, 1, 32, 64]) {
      const pathSecret = new Secret(new Uint8Array(length).fill(7))
      await expect(joins(of, await invented(of, { pathSecret }))).rejects.toEqual(
        refusal('welcome-path-secret-wrong'),
      )
    }
  })

  it('into a group that we are not in is refused', async () => {
    const of = await scene()
    const without = of.alice.public.tree.withoutLeaf(2 as LeafIndex)
    const welcome = await invented(of, { tree: without })
    await expectJoinRefused(of, welcome, 'welcome-own-leaf-missing', without.toRatchetTree())
  })
})

describe('a GroupInfo', () => {
  const groupInfo = (change: (info: GroupInfoTbs) => GroupInfoTbs) => ({ groupInfo: change })

  it('whose signature does not verify is refused (valn1402)', async () => {
    const of = await scene()
    const welcome = await invented(of, {
      signed: (info) => ({ ...info, signature: touched(info.signature) }),
    })
    await expectJoinRefused(of, welcome, 'group-info-signature-invalid')
  })

  it.each([1, 2, 15, 0x80000000])('in the name of leaf %i is refused (valn1402)', async (leaf) => {
    const of = await scene()
    const welcome = await invented(of, { signerLeaf: leaf as LeafIndex })
    await expectJoinRefused(of, welcome, 'group-info-signature-invalid')
  })

  it('of a group with a version that nobody speaks is refused', async () => {
    const of = await scene()
    const context = { ...of.alice.groupContext, version: 2 }
    await expectJoinRefused(of, await invented(of, { context }), 'message-version-unsupported')
  })

  it('with unknown extensions is accepted (valn1602)', async () => {
    const of = await scene()
    const extensions = [{ extensionType: 0x2a2a, extensionData: utf8('?') }]
    const welcome = await invented(
      of,
      groupInfo((info) => ({ ...info, extensions })),
    )
    expect((await joins(of, welcome)).leafIndex).toBe(2)
  })

  it.each<[string, readonly number[], RefusalCode]>([
    ['an extension twice', [0x2a2a, 0x2a2a], 'extension-duplicate'],
    ["a leaf's extension", [ExtensionType.applicationId], 'extension-misplaced'],
    ['a tree that cannot be read', [ExtensionType.ratchetTree], 'extension-malformed'],
  ])('with %s is refused (valn1602)', async (_, types, code) => {
    const of = await scene()
    const extensions = types.map((extensionType) => ({ extensionType, extensionData: utf8('?') }))
    const welcome = await invented(
      of,
      groupInfo((info) => ({ ...info, extensions })),
    )
    await expectJoinRefused(of, welcome, code)
  })

  it.each<[string, readonly number[], RefusalCode]>([
    ['an extension twice', [0x1a1a, 0x1a1a], 'extension-duplicate'],
    ["a GroupInfo's extension", [ExtensionType.externalPub], 'extension-misplaced'],
    ['an extension that we do not support', [0x6a6a], 'leaf-capabilities-insufficient'],
  ])('of a group with %s is refused (valn1603)', async (_, types, code) => {
    const of = await scene()
    const more = types.map((extensionType) => ({ extensionType, extensionData: emptyBytes }))
    const context: GroupContext = {
      ...of.alice.groupContext,
      extensions: [...of.alice.groupContext.extensions, ...more],
    }
    await expectJoinRefused(of, await invented(of, { context }), code)
  })

  it.each<[string, (sender: ExternalSender) => Extensions, RefusalCode]>([
    [
      'another meeting',
      (sender) => foundingExtensions('elsewhere', { policy: 'open' }, sender),
      'meeting-terms-differ',
    ],
    [
      'a meeting on other terms',
      (sender) => foundingExtensions(meetingId, { policy: 'ticket' }, sender),
      'meeting-terms-differ',
    ],
    [
      'no meeting',
      (sender) =>
        foundingExtensions(meetingId, { policy: 'open' }, sender).filter(
          ({ extensionType }) => extensionType !== 0xf000,
        ),
      'meeting-extension-invalid',
    ],
    [
      'a meeting with a second external sender',
      (sender) => [
        ...foundingExtensions(meetingId, { policy: 'open' }, sender).filter(
          ({ extensionType }) => extensionType !== ExtensionType.externalSenders,
        ),
        {
          extensionType: ExtensionType.externalSenders,
          extensionData: encode(ExternalSenders, [sender, sender]),
        },
      ],
      'group-conventions-violated',
    ],
    [
      'a meeting without required capabilities',
      (sender) =>
        foundingExtensions(meetingId, { policy: 'open' }, sender).filter(
          ({ extensionType }) => extensionType !== ExtensionType.requiredCapabilities,
        ),
      'group-conventions-violated',
    ],
  ])('of %s is refused', async (_, make, code) => {
    const of = await scene()
    const context = { ...of.alice.groupContext, extensions: make(of.party.externalSender) }
    await expectJoinRefused(of, await invented(of, { context }), code)
  })

  it('of a meeting by ticket is refused even by who expects it, for nothing enforces one', async () => {
    const of = await scene()
    const trust = { policy: 'ticket' } as const
    const extensions = foundingExtensions(meetingId, trust, of.party.externalSender)
    const welcome = await invented(of, { context: { ...of.alice.groupContext, extensions } })
    const environment = { ...of.party.environment, policy: meetingPolicy({ meetingId, trust }) }
    const { bundle } = of
    await expect(
      Group.join(environment, { welcome, bundle, ratchetTree: async () => of.alice.ratchetTree }),
    ).rejects.toEqual(refusal('admission-policy-unsupported'))
  })
})
