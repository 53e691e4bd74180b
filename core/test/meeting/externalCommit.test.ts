import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { signWithLabel } from '../../src/crypto/secret/index.ts'
import { ConclaveError } from '../../src/error.ts'
import { memberExtension, memberLabel, memberTbs } from '../../src/meeting/index.ts'
import type { LeafIndex, LeafNodeContent, ProposalOrRef } from '../../src/wire/index.ts'
import {
  CredentialType,
  ProposalType,
  PskType,
  ResumptionPskUsage,
} from '../../src/wire/registry.ts'
import { enter, expectHeard, knock } from '../mls/knocking.ts'
import { byReference, byValue, epochOf, forgeNewcomer } from '../mls/malformed.ts'
import { forgeExternalCommit } from '../mls/malformedExternal.ts'
import { add, meetingId, Party, type Person, publicMessageIn, remove } from '../mls/party.ts'
import { expectAlive, expectCommitRefused, type RefusalCode, refusal } from '../mls/refusals.ts'

const names = ['alice', 'bob', 'carol', 'mallory']

type Plan = Parameters<typeof forgeExternalCommit>[2]

/** What `person` forges with all that mallory, a member, can tell. */
async function forgedBy(person: Person, party: Party, plan: Plan = {}) {
  return forgeExternalCommit(await epochOf(party.group('mallory')), person.own, plan)
}

describe('a meeting that is open to everybody', () => {
  it('lets somebody enter by an external commit', async () => {
    const party = await Party.of(names)
    const dave = await party.person('dave')
    const group = await enter(party, dave, await knock(party, dave))
    expect(group.leafIndex).toBe(4)
    await expectHeard(party)
    await expectAlive(party)
  })

  it('lets a member that has lost its state take the place of its own leaf', async () => {
    const party = await Party.of(names)
    const { person: bob, group: lost } = party.at('bob')
    const pending = await knock(party, bob, { replaces: lost.leafIndex })
    party.participants = party.participants.filter(({ person }) => person !== bob)
    const group = await enter(party, bob, pending)
    expect(group.leafIndex).toBe(lost.leafIndex)
    expect(group.members).toHaveLength(4)
    await expectAlive(party)
  })

  it('lets a newcomer carry out who has asked to leave', async () => {
    const party = await Party.of(names)
    const leaving = await party.group('bob').proposeSelfRemove()
    await party.cache(leaving)
    const dave = await party.person('dave')
    const selfRemoves = [publicMessageIn(leaving)]
    await enter(party, dave, await knock(party, dave, { selfRemoves }))
    const left = party.participants.map(({ person }) => person.name)
    expect(left).toEqual(['alice', 'carol', 'mallory', 'dave'])
    await expectAlive(party)
  })
})

describe('an external commit into a meeting', () => {
  const bobsOwn = (person: Person, change: (leaf: LeafNodeContent) => LeafNodeContent): Plan => ({
    proposals: (init) => [init, byValue(remove(1 as LeafIndex))],
    leaf: change,
    leafSigner: person.own.signer,
  })

  it("that removes another's leaf is refused", async () => {
    const party = await Party.of(names)
    const dave = await party.person('dave')
    const removal = byValue(remove(party.leaf('bob')))
    const forged = await forgedBy(dave, party, { proposals: (init) => [init, removal] })
    await expectCommitRefused(party, '', forged, 'member-changed')
  })

  it("of somebody's other device, or with another signature key, removes no leaf", async () => {
    const party = await Party.of(names)
    const again = await party.person('bob')
    const removal = byValue(remove(party.leaf('bob')))
    const forged = await forgedBy(again, party, { proposals: (init) => [init, removal] })
    await expectCommitRefused(party, '', forged, 'member-changed')
  })

  it('that takes a leaf over with its key but another identity is refused', async () => {
    const party = await Party.of(names)
    const { person: bob } = party.at('bob')
    const credential = { credentialType: CredentialType.basic, identity: utf8('robert') }
    const plan = bobsOwn(bob, (leaf) => ({ ...leaf, credential }))
    await expectCommitRefused(party, '', await forgedBy(bob, party, plan), 'member-changed')
  })

  it('that takes a leaf over with its key but another device is refused', async () => {
    const party = await Party.of(names)
    const { person: bob } = party.at('bob')
    const { device } = await party.person('bob')
    const certified = memberTbs(meetingId, bob.own.signer.publicKey)
    const member = memberExtension({
      deviceKey: device.publicKey,
      deviceSignature: await signWithLabel(device, memberLabel, certified),
      ticket: undefined,
    })
    const plan = bobsOwn(bob, (leaf) => ({ ...leaf, extensions: [member] }))
    await expectCommitRefused(party, '', await forgedBy(bob, party, plan), 'member-changed')
  })

  it('by a leaf that no device has certified is refused', async () => {
    const party = await Party.of(names)
    const dave = await party.person('dave')
    const leaf = (content: LeafNodeContent) => ({
      ...content,
      extensions: content.extensions.map((extension) =>
        extension.extensionType === 0xf001
          ? memberExtension({
              deviceKey: dave.device.publicKey,
              deviceSignature: new Uint8Array(64),
              ticket: undefined,
            })
          : extension,
      ),
    })
    const forged = await forgedBy(dave, party, { leaf })
    await expectCommitRefused(party, '', forged, 'member-extension-invalid')
  })

  it('is not even made where it would remove somebody else', async () => {
    const party = await Party.of(names)
    const dave = await party.person('dave')
    await expect(knock(party, dave, { replaces: party.leaf('bob') })).rejects.toEqual(
      refusal('member-changed'),
    )
  })

  it.each([
    ['an external pre-shared key', { pskType: PskType.external, pskId: utf8('key') }],
    [
      'a resumption pre-shared key',
      {
        pskType: PskType.resumption,
        usage: ResumptionPskUsage.application,
        pskGroupId: utf8('group'),
        pskEpoch: 0n,
      },
    ],
  ] as const)('with %s is refused', async (_, id) => {
    const party = await Party.of(names)
    const dave = await party.person('dave')
    const psk = { ...id, pskNonce: new Uint8Array(32) }
    const proposal = byValue({ proposalType: ProposalType.psk, psk })
    const forged = await forgedBy(dave, party, { proposals: (init) => [init, proposal] })
    await expectCommitRefused(party, '', forged, 'proposal-not-authorised')
  })
})

describe('of all that a newcomer might commit', () => {
  interface Choice {
    readonly inits: number
    readonly removesOwn: number
    readonly others: readonly ('bob' | 'carol')[]
    readonly adds: boolean
    readonly extensions: boolean
    readonly psk: boolean
    readonly leaving: boolean
  }
  const choices: fc.Arbitrary<Choice> = fc.record({
    inits: fc.constantFrom(1, 1, 1, 0, 2),
    removesOwn: fc.constantFrom(0, 1, 1, 2),
    others: fc.subarray(['bob', 'carol'] as const, { maxLength: 1 }),
    adds: fc.constantFrom(false, false, false, true),
    extensions: fc.constantFrom(false, false, false, true),
    psk: fc.constantFrom(false, false, false, true),
    leaving: fc.boolean(),
  })

  function admissible({ inits, removesOwn, others, adds, extensions, psk }: Choice): boolean {
    const extra = adds || extensions || psk || others.length > 0
    return inits === 1 && removesOwn <= 1 && !extra
  }

  /** alice has lost her state; what she still has is her signature key and who bob is. */
  async function commitOf(party: Party, choice: Choice) {
    const leaving = byReference(await party.cache(await party.group('bob').proposeSelfRemove()))
    const newcomer = await forgeNewcomer(party, {})
    const psk = { pskType: PskType.external, pskId: utf8('key'), pskNonce: new Uint8Array(32) }
    const { extensions } = party
    const plan = (init: ProposalOrRef): readonly ProposalOrRef[] => [
      ...Array.from({ length: choice.inits }, () => init),
      ...Array.from({ length: choice.removesOwn }, () => byValue(remove(party.leaf('alice')))),
      ...choice.others.map((name) => byValue(remove(party.leaf(name)))),
      ...(choice.adds ? [byValue(add(newcomer))] : []),
      ...(choice.extensions
        ? [byValue({ proposalType: ProposalType.groupContextExtensions, extensions })]
        : []),
      ...(choice.psk ? [byValue({ proposalType: ProposalType.psk, psk })] : []),
      ...(choice.leaving ? [leaving] : []),
    ]
    // Whoever keeps its leaf enters as somebody new.
    const { person } = choice.removesOwn > 0 ? party.at('alice') : { person: undefined }
    return forgedBy(person ?? (await party.person('dave')), party, { proposals: plan })
  }

  it('only ExternalInit, the removal of its own leaf and SelfRemoves are admitted', async () => {
    await fc.assert(
      fc.asyncProperty(choices, async (choice) => {
        const party = await Party.of(names)
        const { message, groupInfo, welcome } = await commitOf(party, choice)
        const follower = party.group('carol').public
        const followed = follower.withCommit(publicMessageIn(message), groupInfo, welcome)
        if (admissible(choice)) await expect(followed).resolves.toMatchObject({ added: [] })
        else await expect(followed).rejects.toBeInstanceOf(ConclaveError)
      }),
      { numRuns: 40 },
    )
  })
})

describe('a commit that a log has lost and a member gives back', () => {
  it('is followed without the GroupInfo and Welcome that came with it', async () => {
    const party = await Party.of(names)
    const follower = party.group('alice').public
    const dave = await party.person('dave')
    const bundle = await party.keyPackage(dave)
    const pending = await party.group('bob').commit({
      proposals: [add(bundle.keyPackage)],
      authenticatedData: emptyBytes,
    })
    const accepted = await follower.withReturnedCommit(publicMessageIn(pending.message))
    expect(accepted).toMatchObject({
      committer: 1,
      added: [{ leafIndex: 4, keyPackageRef: bundle.ref }],
      removed: [],
    })
    const { groupContext } = party.group('bob').confirm(pending)
    expect(accepted.group.groupContext).toEqual(groupContext)
  })

  it.each<[string, Plan, RefusalCode]>([
    [
      'has another signature',
      { auth: (of) => ({ ...of, signature: new Uint8Array(64) }) },
      'message-signature-invalid',
    ],
    [
      'breaks a rule of the meeting',
      { proposals: (init) => [init, byValue(remove(1 as LeafIndex))] },
      'member-changed',
    ],
  ])('is refused where it %s', async (_, plan, code) => {
    const party = await Party.of(names)
    const { message } = await forgedBy(await party.person('dave'), party, plan)
    const followed = party.group('alice').public.withReturnedCommit(publicMessageIn(message))
    await expect(followed).rejects.toEqual(refusal(code))
  })

  it('is refused in another epoch than its own', async () => {
    const party = await Party.of(names)
    const before = party.group('alice').public
    const pending = await party.commit('bob')
    const again = party.group('alice').public.withReturnedCommit(publicMessageIn(pending.message))
    await expect(again).rejects.toEqual(refusal('message-epoch-past'))
    await expect(
      before.withReturnedCommit(publicMessageIn(pending.message)),
    ).resolves.toMatchObject({ committer: 1 })
  })
})
