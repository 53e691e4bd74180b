import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import type { Secret } from '../../src/crypto/secret/index.ts'
import type { KeyPackageBundle } from '../../src/mls/bootstrap/index.ts'
import { Group } from '../../src/mls/group/index.ts'
import { derivePskSecret } from '../../src/mls/treekem/preSharedKeys.ts'
import {
  ExternalSenders,
  type GroupContext,
  type PreSharedKeyId,
  type RatchetTree,
  type Welcome,
} from '../../src/wire/index.ts'
import { ExtensionType, PskType, ResumptionPskUsage } from '../../src/wire/registry.ts'
import {
  bundleOf,
  commitIn,
  founded,
  leafOf,
  permissive,
  reInitAs,
  suiteIn,
  type Views,
  viewIn,
} from './continuing.ts'
import { inventWelcome } from './inventedGroup.ts'
import { add, Party, viewOf, welcomeIn } from './party.ts'
import { type RefusalCode, refusal } from './refusals.ts'

/*
 * What alice can make up who is in the old group and knows its secrets: a group that says that it
 * continues the old one. bob and carol are in the old group too; bob gets the Welcome.
 */

const names = ['alice', 'bob', 'carol']

interface Scheme {
  readonly suite?: number
  /** Who is in the new group beside alice and bob. */
  readonly others?: readonly string[]
  readonly groupId?: ReturnType<typeof utf8>
  readonly extensions?: GroupContext['extensions']
  readonly epoch?: bigint
  readonly usages: readonly number[]
  /** Epochs before the last one of the old group. */
  readonly fromEarlier?: number
}

interface Trap {
  readonly welcome: Welcome
  readonly bundle: KeyPackageBundle
  readonly ratchetTree: RatchetTree
}

async function setTrap(
  party: Party,
  old: Views,
  keys: readonly Secret[],
  { suite: id = 1, others = ['carol'], usages, fromEarlier = 0, ...scheme }: Scheme,
): Promise<Trap> {
  const suite = suiteIn(party, id)
  const own = await leafOf(party, 'alice', id)
  const first = await Group.found(party.environment, {
    cipherSuite: id,
    groupId: scheme.groupId ?? utf8('aside'),
    own,
    lifetime: party.lifetime(),
    extensions: scheme.extensions ?? [],
  })
  const bundle = await bundleOf(party, 'bob', id)
  const more = await Promise.all(others.map((name) => bundleOf(party, name, id)))
  const proposals = [bundle, ...more].map(({ keyPackage }) => add(keyPackage))
  const group = first.confirm(await first.commit({ proposals }))
  const { groupId, epoch } = viewIn(old, 'alice')
  const psks = usages.map((usage, i): PreSharedKeyId & { pskType: typeof PskType.resumption } => ({
    pskType: PskType.resumption,
    usage,
    pskGroupId: groupId,
    pskEpoch: epoch - BigInt(fromEarlier),
    pskNonce: new Uint8Array(suite.suite.Nh).fill(i),
  }))
  const key = keys.at(-1 - fromEarlier)
  if (key === undefined) throw new Error('the old group was never in that epoch')
  const welcome = await inventWelcome(suite, {
    signer: own.signer,
    signerLeaf: group.leafIndex,
    context: { ...group.groupContext, epoch: scheme.epoch ?? group.epoch },
    tree: group.public.tree,
    newcomer: bundle.keyPackage,
    psks,
    pskSecret: derivePskSecret(
      suite,
      psks.map((psk) => ({ id: psk, key })),
    ),
  })
  return { welcome, bundle, ratchetTree: group.ratchetTree }
}

/** Old groups, with the resumption key of each epoch. */
async function oldGroup(agreed?: ReturnType<typeof reInitAs>) {
  const { party, old } = await founded(names)
  const keys = [viewIn(old, 'alice').resumptionPsk]
  await commitIn(old, 'carol', agreed === undefined ? [] : [agreed])
  keys.push(viewIn(old, 'alice').resumptionPsk)
  return { party, old, keys }
}

async function enters(party: Party, { welcome, bundle, ratchetTree }: Trap, continues?: Group) {
  const joining = { welcome, bundle, ratchetTree: async () => ratchetTree }
  return Group.join(party.environment, joining, continues)
}

/** bob refuses, and his old group is as before: he can still enter where all is right. */
async function expectTrapSeen(
  agreed: ReturnType<typeof reInitAs> | undefined,
  scheme: Scheme,
  code: RefusalCode,
): Promise<void> {
  const { party, old, keys } = await oldGroup(agreed)
  const group = viewIn(old, 'bob')
  const before = { ...viewOf(group), state: group.encodeState().expose() }
  const trap = await setTrap(party, old, keys, scheme)
  await expect(enters(party, trap, group)).rejects.toEqual(refusal(code))
  expect({ ...viewOf(group), state: group.encodeState().expose() }).toEqual(before)
  const honest = await setTrap(party, old, keys, { ...honestScheme(agreed) })
  expect((await enters(party, honest, group)).epoch).toBe(1n)
}

function honestScheme(agreed: ReturnType<typeof reInitAs> | undefined): Scheme {
  if (agreed === undefined) return { usages: [ResumptionPskUsage.branch] }
  const { cipherSuite: suite, groupId, extensions } = agreed
  return { usages: [ResumptionPskUsage.reInit], suite, groupId, extensions }
}

describe('a Welcome that continues another group', () => {
  it.each<[string, readonly number[]]>([
    ['reinitialisations', [ResumptionPskUsage.reInit, ResumptionPskUsage.reInit]],
    ['branches', [ResumptionPskUsage.branch, ResumptionPskUsage.branch]],
    ['ways', [ResumptionPskUsage.reInit, ResumptionPskUsage.branch]],
  ])('in two %s at once is refused (valn1401)', async (_, usages) => {
    await expectTrapSeen(undefined, { usages }, 'welcome-psk-invalid')
  })

  it.each([0, 4, 255])(
    'in the way %i, which nobody knows, is refused (valn1401)',
    async (usage) => {
      await expectTrapSeen(undefined, { usages: [usage] }, 'welcome-psk-invalid')
    },
  )

  it.each([
    ['reinitialised', ResumptionPskUsage.reInit],
    ['branched off', ResumptionPskUsage.branch],
  ])('in that it has %s is refused by who was not in it (valn1401)', async (_, usage) => {
    const { party, old, keys } = await oldGroup()
    const trap = await setTrap(party, old, keys, { usages: [usage] })
    await expect(enters(party, trap)).rejects.toEqual(refusal('welcome-psk-invalid'))
    const another = await Party.of(['bob', 'dave'], permissive)
    await expect(enters(party, trap, another.group('bob'))).rejects.toEqual(
      refusal('welcome-psk-invalid'),
    )
    // Nor does a key help that the application happens to know.
    const environment = { ...party.environment, preSharedKey: () => keys.at(-1) }
    const { welcome, bundle } = trap
    await expect(Group.join(environment, { welcome, bundle })).rejects.toEqual(
      refusal('welcome-psk-invalid'),
    )
  })

  it.each(['0', '2', '3', '18446744073709551615'])(
    'in epoch %s is refused (valn1412)',
    async (number) => {
      const epoch = BigInt(number)
      const agreed = reInitAs(3)
      await expectTrapSeen(agreed, { ...honestScheme(agreed), epoch }, 'continuation-mismatch')
      const branching = honestScheme(undefined)
      await expectTrapSeen(undefined, { ...branching, epoch }, 'continuation-mismatch')
    },
  )

  it('that nobody has agreed to reinitialise is refused (valn1413)', async () => {
    const usages = [ResumptionPskUsage.reInit]
    await expectTrapSeen(undefined, { usages }, 'continuation-mismatch')
  })

  it.each<[string, Partial<Scheme>]>([
    ['under another id', { groupId: utf8('not the next') }],
    ['in another suite', { suite: 2 }],
    ['in the suite that it had', { suite: 1 }],
    ['with other extensions', { extensions: [] }],
    ['from the epoch before the agreement', { fromEarlier: 1 }],
  ])('as was agreed but %s is refused (valn1413)', async (_, change) => {
    const noSenders = encode(ExternalSenders, [])
    const extensions = [{ extensionType: ExtensionType.externalSenders, extensionData: noSenders }]
    const agreed = reInitAs(3, { extensions })
    await expectTrapSeen(agreed, { ...honestScheme(agreed), ...change }, 'continuation-mismatch')
  })

  it('as was agreed but in another version is refused (valn1413)', async () => {
    const { party, old, keys } = await oldGroup(reInitAs(1, { version: 2 }))
    const scheme = { ...honestScheme(reInitAs(1)), groupId: reInitAs(1).groupId }
    const trap = await setTrap(party, old, keys, scheme)
    await expect(enters(party, trap, viewIn(old, 'bob'))).rejects.toEqual(
      refusal('continuation-mismatch'),
    )
  })

  it('as was agreed but without a member is refused (valn1413)', async () => {
    const agreed = reInitAs(3)
    const scheme = { ...honestScheme(agreed), others: ['dave'] }
    await expectTrapSeen(agreed, scheme, 'continuation-members-differ')
  })

  it('as a branch in another suite is refused (valn1414)', async () => {
    const scheme = { ...honestScheme(undefined), suite: 3 }
    await expectTrapSeen(undefined, scheme, 'continuation-mismatch')
  })

  it('as a branch with somebody from elsewhere is refused (valn1414)', async () => {
    const scheme = { ...honestScheme(undefined), others: ['carol', 'mallory'] }
    await expectTrapSeen(undefined, scheme, 'continuation-members-differ')
  })
})

it('a Welcome into a group in which we are already is refused (valn1403)', async () => {
  const party = await Party.of(names, permissive)
  const bundle = await party.keyPackage(await party.person('dave'))
  const pending = await party.commit('alice', [add(bundle.keyPackage)])
  const { ratchetTree, groupId } = party.group('alice')
  const welcome = welcomeIn(pending.welcome)
  const asked: unknown[] = []
  const isInGroup = (id: unknown) => asked.push(id) > 0
  const joining = { welcome, bundle, ratchetTree: async () => ratchetTree }
  const again = Group.join({ ...party.environment, isInGroup }, joining)
  await expect(again).rejects.toEqual(refusal('welcome-group-known'))
  expect(asked).toEqual([groupId])
  const joined = await Group.join({ ...party.environment, isInGroup: () => false }, joining)
  expect(viewOf(joined)).toEqual(viewOf(party.group('alice')))
})
