import { describe, expect, it } from 'vitest'
import { emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { signGroupInfo } from '../../src/mls/bootstrap/groupInfo.ts'
import type { GroupInfo, GroupInfoTbs, LeafIndex, Welcome } from '../../src/wire/index.ts'
import { ExtensionType, ProposalType } from '../../src/wire/registry.ts'
import { byValue, epochOf, type ForgedCommit, forgeCommit, touched } from './malformed.ts'
import { add, Party, publicMessageIn, remove } from './party.ts'
import { publicViewOf, type RefusalCode, refusal } from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'dave']

/** bob adds two people; alice's view of the group stands for anybody who follows it. */
async function adding() {
  const party = await Party.of(names)
  const people = await Promise.all(['erin', 'frank'].map((name) => party.person(name)))
  const bundles = await Promise.all(people.map((person) => party.keyPackage(person)))
  const forged = await forgeCommit(await epochOf(party.group('bob')), {
    proposals: bundles.map(({ keyPackage }) => byValue(add(keyPackage))),
  })
  return { party, forged, bundles, follower: party.group('alice').public }
}

type Adding = Awaited<ReturnType<typeof adding>>

async function expectUploadRefused(
  { follower, forged }: Adding,
  upload: Partial<Pick<ForgedCommit, 'groupInfo' | 'welcome'>>,
  code: RefusalCode,
): Promise<void> {
  const { message, groupInfo, welcome } = { ...forged, ...upload }
  const before = publicViewOf(follower)
  const followed = follower.withCommit(publicMessageIn(message), groupInfo, welcome)
  await expect(followed).rejects.toEqual(refusal(code))
  expect(publicViewOf(follower)).toEqual(before)
  // What fits is accepted by the very same value.
  const accepted = await follower.withCommit(
    publicMessageIn(forged.message),
    forged.groupInfo,
    forged.welcome,
  )
  expect(accepted.group.groupContext).toEqual(forged.context)
}

it('an upload that fits is accepted, and says who came and went', async () => {
  const { follower, forged, bundles } = await adding()
  const { message, groupInfo, welcome } = forged
  const accepted = await follower.withCommit(publicMessageIn(message), groupInfo, welcome)
  expect(accepted).toMatchObject({
    committer: 1,
    removed: [],
    added: [
      { leafIndex: 4, keyPackageRef: bundles[0]?.ref },
      { leafIndex: 5, keyPackageRef: bundles[1]?.ref },
    ],
  })
})

describe('a GroupInfo beside a commit', () => {
  const signed =
    (change: (content: GroupInfoTbs) => GroupInfoTbs, by = 'bob') =>
    ({ party, forged }: Adding): Promise<GroupInfo> =>
      signGroupInfo(party.at(by).person.own.signer, change(forged.groupInfo))
  const inContext = (change: Partial<GroupInfo['groupContext']>) =>
    signed((info) => ({ ...info, groupContext: { ...info.groupContext, ...change } }))
  const unread = (extensionType: number) => ({ extensionType, extensionData: emptyBytes })

  it.each<[string, (of: Adding) => Promise<GroupInfo>, RefusalCode]>([
    ['of the epoch before', inContext({ epoch: 1n }), 'group-info-context-mismatch'],
    ['of another group', inContext({ groupId: utf8('other') }), 'group-info-context-mismatch'],
    [
      'with another tree',
      inContext({ treeHash: new Uint8Array(32) }),
      'group-info-context-mismatch',
    ],
    [
      'with another transcript',
      inContext({ confirmedTranscriptHash: new Uint8Array(32) }),
      'group-info-context-mismatch',
    ],
    ['with other extensions', inContext({ extensions: [] }), 'group-info-context-mismatch'],
    ['of another suite', inContext({ cipherSuite: 3 }), 'group-info-context-mismatch'],
    ['of another version', inContext({ version: 2 }), 'group-info-context-mismatch'],
    [
      'with another confirmation tag',
      signed((info) => ({ ...info, confirmationTag: touched(info.confirmationTag) })),
      'group-info-confirmation-tag-invalid',
    ],
    [
      'whose signature does not verify',
      async ({ forged: { groupInfo } }) => ({
        ...groupInfo,
        signature: touched(groupInfo.signature),
      }),
      'group-info-signature-invalid',
    ],
    [
      'signed by another than it says',
      signed((info) => info, 'carol'),
      'group-info-signature-invalid',
    ],
    [
      'signed by nobody',
      signed((info) => ({ ...info, signer: 7 as LeafIndex })),
      'group-info-signature-invalid',
    ],
    [
      'signed by a leaf beyond every tree',
      signed((info) => ({ ...info, signer: 0x80000001 as LeafIndex })),
      'group-info-signature-invalid',
    ],
    [
      'with an extension twice',
      signed((info) => ({ ...info, extensions: [unread(0x1a1a), unread(0x1a1a)] })),
      'extension-duplicate',
    ],
    [
      "with a GroupContext's extension",
      signed((info) => ({ ...info, extensions: [unread(ExtensionType.externalSenders)] })),
      'extension-misplaced',
    ],
  ])('%s is refused', async (_, make, code) => {
    const scene = await adding()
    await expectUploadRefused(scene, { groupInfo: await make(scene) }, code)
  })

  it('of the commit before is refused', async () => {
    const scene = await adding()
    const { groupInfo } = await forgeCommit(await epochOf(scene.party.group('bob')))
    await expectUploadRefused(scene, { groupInfo }, 'group-info-context-mismatch')
  })
})

describe('a Welcome beside a commit', () => {
  const changed =
    (change: (welcome: Welcome) => Welcome | undefined) =>
    ({ forged: { welcome } }: Adding) => {
      if (welcome === undefined) throw new Error('there is a Welcome')
      return change(welcome)
    }

  it.each<[string, (of: Adding) => Welcome | undefined, RefusalCode]>([
    ['that is missing', changed(() => undefined), 'welcome-incomplete'],
    [
      'that omits somebody who was added',
      changed((welcome) => ({ ...welcome, secrets: welcome.secrets.slice(1) })),
      'welcome-incomplete',
    ],
    [
      'that has a secret for somebody who was not',
      changed(({ secrets: [first, ...others], ...welcome }) => ({
        ...welcome,
        secrets:
          first === undefined ? [] : [{ ...first, newMember: new Uint8Array(32) }, ...others],
      })),
      'welcome-incomplete',
    ],
    [
      'that has a secret for somebody twice, and so for another none',
      changed(({ secrets: [first], ...welcome }) => ({
        ...welcome,
        secrets: first === undefined ? [] : [first, first],
      })),
      'welcome-incomplete',
    ],
    [
      'that has one secret too many',
      changed((welcome) => ({ ...welcome, secrets: [...welcome.secrets, ...welcome.secrets] })),
      'welcome-incomplete',
    ],
    [
      'of another suite',
      changed((welcome) => ({ ...welcome, cipherSuite: 3 })),
      'welcome-suite-mismatch',
    ],
  ])('%s is refused', async (_, make, code) => {
    const scene = await adding()
    await expectUploadRefused(scene, { welcome: make(scene) }, code)
  })

  it('that adds nobody is refused', async () => {
    const scene = await adding()
    const nobody = await forgeCommit(await epochOf(scene.party.group('bob')))
    const { welcome } = scene.forged
    await expectUploadRefused({ ...scene, forged: nobody }, { welcome }, 'welcome-incomplete')
  })
})

describe('who follows a group', () => {
  it('takes no commit for a proposal, and no proposal for a commit', async () => {
    const { party, follower, forged } = await adding()
    const commit = publicMessageIn(forged.message)
    const proposal = publicMessageIn(await party.group('carol').proposeSelfRemove())
    const unexpected = refusal('message-wire-format-unexpected')
    await expect(follower.withProposal(commit)).rejects.toEqual(unexpected)
    await expect(follower.withCommit(proposal, forged.groupInfo)).rejects.toEqual(unexpected)
    const { group } = await follower.withProposal(proposal)
    expect([...group.pendingRemovals]).toEqual([party.leaf('carol')])
    expect(follower.pendingRemovals.size).toBe(0)
  })

  it('takes no commit that removes somebody by value in a meeting', async () => {
    const { party, follower } = await adding()
    for (const proposal of [
      remove(party.leaf('alice')),
      { proposalType: ProposalType.selfRemove } as const,
    ]) {
      const { message, groupInfo } = await forgeCommit(await epochOf(party.group('dave')), {
        proposals: [byValue(proposal)],
      })
      const followed = follower.withCommit(publicMessageIn(message), groupInfo)
      await expect(followed).rejects.toEqual(
        refusal(
          proposal.proposalType === ProposalType.remove
            ? 'proposal-not-authorised'
            : 'proposal-self-remove-by-value',
        ),
      )
    }
  })
})
