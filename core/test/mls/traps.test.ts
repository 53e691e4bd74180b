import { describe, expect, it } from 'vitest'
import { type Bytes, concatBytes, emptyBytes, fromHex, utf8 } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import type { Signer } from '../../src/crypto/secret/index.ts'
import { Group } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import {
  ExternalPub,
  ExternalSenders,
  type FramedContent,
  KeyPackage,
  type LeafIndex,
  type Proposal,
  RequiredCapabilities,
  type Sender,
} from '../../src/wire/index.ts'
import { ContentType, ExtensionType, ProposalType, SenderType } from '../../src/wire/registry.ts'
import {
  byReference,
  byValue,
  contentOf,
  epochOf,
  forgeCommit,
  forgeKeyPackage,
  forgeNewcomer,
  frame,
  frameProposal,
  touched,
} from './malformed.ts'
import { add, Party, type PartyOptions, remove, viewOf, welcomeIn } from './party.ts'
import {
  expectAlive,
  expectCommitRefused,
  expectRejected,
  type RefusalCode,
  rejectionOf,
} from './refusals.ts'

/*
 * Where mature MLS libraries have gone wrong. The list in VALIDATION.md names those traps too that
 * other files have tests of.
 */

const names = ['alice', 'bob', 'carol', 'mallory']
const permissive: PartyOptions = { policy: permissivePolicy, extensions: [] }

function mallorys(party: Party) {
  return epochOf(party.group('mallory'))
}

describe('one value has one encoding', () => {
  it('a length in more bytes than it needs is refused, in a message and deep inside', async () => {
    const party = await Party.of(names, permissive)
    const pending = await party.group('mallory').commit()
    pending.discard()
    // The group id's length follows version and wire format.
    expect(pending.message[4]).toBe(16)
    for (const length of ['4010', '80000010']) {
      const longer = concatBytes(
        pending.message.slice(0, 4),
        fromHex(length),
        pending.message.slice(5),
      )
      await expectRejected(party, 'mallory', longer, 'codec-bad-length' as RefusalCode)
    }
    const { keyPackage } = await party.keyPackage(await party.person('erin'))
    const message = await frameProposal(await mallorys(party), add(keyPackage))
    const at = Buffer.from(message).indexOf(Buffer.from(encode(KeyPackage, keyPackage)))
    // The init key's length follows version and suite.
    expect(message[at + 4]).toBe(32)
    const inside = concatBytes(message.slice(0, at + 4), fromHex('4020'), message.slice(at + 5))
    await expectRejected(party, 'mallory', inside, 'codec-bad-length' as RefusalCode)
  })

  it('bytes that follow a message are refused', async () => {
    const party = await Party.of(names, permissive)
    const { message } = await forgeCommit(await mallorys(party))
    const proposal = await frameProposal(await mallorys(party), remove(party.leaf('bob')))
    for (const whole of [message, proposal, await party.group('mallory').protect(utf8('words'))]) {
      const more = concatBytes(whole, Uint8Array.of(0))
      await expectRejected(party, 'mallory', more, 'codec-trailing-bytes' as RefusalCode)
    }
  })

  it.each<[string, number, Bytes]>([
    ['required_capabilities', ExtensionType.requiredCapabilities, requirements()],
    ['external_senders', ExtensionType.externalSenders, encode(ExternalSenders, [])],
  ])('bytes that follow %s are refused', async (_, extensionType, honest) => {
    const party = await Party.of(names, permissive)
    const proposal = (extensionData: Bytes): Proposal => ({
      proposalType: ProposalType.groupContextExtensions,
      extensions: [{ extensionType, extensionData }],
    })
    const more = concatBytes(honest, Uint8Array.of(0))
    const message = await frameProposal(await mallorys(party), proposal(more))
    await expectRejected(party, 'mallory', message, 'extension-malformed')
    await party.cache(await frameProposal(await mallorys(party), proposal(honest)))
  })

  it('bytes that follow external_pub keep the newcomer out', async () => {
    const party = await Party.of(names, permissive)
    const externalPub = encode(ExternalPub, { externalPub: new Uint8Array(32).fill(9) })
    const extension = {
      extensionType: ExtensionType.externalPub,
      extensionData: concatBytes(externalPub, Uint8Array.of(0)),
    }
    const { groupInfo } = await forgeCommit(await mallorys(party))
    const joining = Group.joinExternally(party.environment, {
      groupInfo: { ...groupInfo, extensions: [extension] },
      own: (await party.person('erin')).own,
    })
    await expect(joining).rejects.toMatchObject({ code: 'extension-malformed' })
  })
})

describe('a proposal from outside, which no GroupContext is signed with', () => {
  interface Outsider {
    readonly sender: Sender
    readonly signer: Signer
    readonly proposal: Proposal
  }

  async function outside() {
    const meeting = await Party.of(names)
    const { keyserver } = meeting
    const extensionData = encode(ExternalSenders, [meeting.externalSender])
    const extensions = [{ extensionType: ExtensionType.externalSenders, extensionData }]
    const party = await Party.of(names, { ...permissive, extensions })
    const erin = await party.person('erin')
    const { keyPackage } = await party.keyPackage(erin)
    const senders: readonly [Outsider, Outsider] = [
      {
        sender: { senderType: SenderType.external, senderIndex: 0 },
        signer: keyserver,
        proposal: remove(party.leaf('bob')),
      },
      {
        sender: { senderType: SenderType.newMemberProposal },
        signer: erin.own.signer,
        proposal: add(keyPackage),
      },
    ]
    return { party, senders }
  }

  it.each<[string, (content: FramedContent) => FramedContent, RefusalCode]>([
    ['another group', (of) => ({ ...of, groupId: touched(of.groupId) }), 'message-group-mismatch'],
    ['no group', (of) => ({ ...of, groupId: emptyBytes }), 'message-group-mismatch'],
    ['the epoch before', (of) => ({ ...of, epoch: of.epoch - 1n }), 'message-epoch-past'],
    ['the next epoch', (of) => ({ ...of, epoch: of.epoch + 1n }), 'message-epoch-future'],
  ])('is not taken where it is for %s', async (_, change, code) => {
    const { party, senders } = await outside()
    for (const { sender, signer, proposal } of senders) {
      const epoch = await mallorys(party)
      const content: FramedContent = {
        ...contentOf(epoch, sender),
        contentType: ContentType.proposal,
        proposal,
      }
      await expectRejected(
        party,
        '',
        await frame(epoch, change(content), undefined, { signer }),
        code,
      )
      expect(party.group('alice').public.proposals.size).toBe(0)
    }
  })

  it.each([
    ['an external sender', 0],
    ['a newcomer', 1],
  ])('by %s is no proposal of the next epoch', async (_, index) => {
    const { party, senders } = await outside()
    const { proposal, ...as } = senders[index] ?? senders[0]
    const message = await frameProposal(await mallorys(party), proposal, as)
    const reference = byReference(await party.cache(message))
    // mallory commits without it.
    const { message: commit } = await forgeCommit(await mallorys(party))
    await party.deliver(commit, party.others('mallory'))
    party.participants = [...party.others('mallory')]
    const forged = await forgeCommit(await epochOf(party.group('carol')), {
      proposals: [reference],
    })
    await expectCommitRefused(party, 'carol', forged, 'proposal-unknown-reference')
    expect(await rejectionOf(party.group('alice'), message)).toBe('message-epoch-past')
  })
})

describe('a leaf index that somebody else had before', () => {
  it('names the sender as it was when the message was sent', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'], permissive)
    const { person } = party.at('bob')
    const leaf = party.leaf('bob')
    const late = await party.group('bob').protect(utf8('I am bob'))
    const forLater = await party.group('bob').protect(utf8('I am bob still'))
    await party.commit('alice', [remove(leaf)])
    await party.add('alice', ['dave'])
    expect(party.leaf('dave')).toBe(leaf)

    const received = await party.group('carol').receive(late)
    if (received.kind !== 'application') throw new Error(received.kind)
    expect(received).toMatchObject({ sender: leaf, epoch: 1n, data: utf8('I am bob') })
    expect(received.leafNode.signatureKey).toEqual(person.own.signer.publicKey)
    const { leafNode } = party.group('carol').members[leaf] ?? {}
    expect(leafNode?.signatureKey).toEqual(party.at('dave').person.own.signer.publicKey)
    // Who was not there has nothing to open it with.
    expect(await rejectionOf(party.group('dave'), forLater)).toBe('message-epoch-past')
  })

  it('takes over none of the proposals that were made at it', async () => {
    const party = await Party.of(['alice', 'bob', 'carol'], permissive)
    const leaf = party.leaf('bob')
    const left = await party.group('bob').proposeSelfRemove()
    await party.commit('alice', [remove(leaf)])
    await party.add('alice', ['dave'])
    for (const { group } of party.participants) {
      expect(await rejectionOf(group, left)).toBe('message-epoch-past')
    }
    await party.commit('carol')
    expect(party.group('dave').leafIndex).toBe(leaf)
  })

  it('is signed for by its owner of now alone', async () => {
    const party = await Party.of(['alice', 'bob', 'carol', 'mallory'], permissive)
    const { signer } = party.at('bob').person.own
    const sender = { senderType: SenderType.member, leafIndex: party.leaf('bob') }
    await party.commit('alice', [remove(party.leaf('bob'))])
    await party.add('alice', ['dave'])
    const selfRemove = { proposalType: ProposalType.selfRemove } as const
    const forged = await frameProposal(await mallorys(party), selfRemove, { sender, signer })
    await expectRejected(party, 'mallory', forged, 'message-signature-invalid')
  })
})

describe('a MAC that was cut short', () => {
  it('is none, down to the last byte', async () => {
    const party = await Party.of(names, permissive)
    for (const length of [0, 1, 16, 31]) {
      const cut = (tag: Bytes) => tag.slice(0, length)
      const membership = await forgeCommit(await mallorys(party), { membershipTag: cut })
      await expectRejected(party, 'mallory', membership.message, 'message-membership-tag-invalid')
      const confirmation = await forgeCommit(await mallorys(party), {
        auth: ({ signature, confirmationTag = emptyBytes }) => ({
          signature,
          confirmationTag: cut(confirmationTag),
        }),
      })
      await expectRejected(
        party,
        'mallory',
        confirmation.message,
        'commit-confirmation-tag-invalid',
      )
    }
  })

  it('is none either where it was made longer', async () => {
    const party = await Party.of(names, permissive)
    const longer = (tag: Bytes) => concatBytes(tag, Uint8Array.of(0))
    const { message } = await forgeCommit(await mallorys(party), { membershipTag: longer })
    await expectRejected(party, 'mallory', message, 'message-membership-tag-invalid')
  })
})

describe('a signature key that proves nothing', () => {
  /** With R the same point and S zero, a point of order one verifies whatever there is. */
  const identity = fromHex(`01${'00'.repeat(31)}`)
  const universal = concatBytes(identity, new Uint8Array(32))

  it.each<[string, Bytes, Bytes]>([
    ['of no length', emptyBytes, emptyBytes],
    ['of no length, with a signature', emptyBytes, universal],
    ['of the order one', identity, universal],
    ['that is too long', new Uint8Array(33).fill(1), universal],
  ])('is no KeyPackage of anybody: %s', async (_, signatureKey, signature) => {
    const party = await Party.of(names, permissive)
    const erin = await party.person('erin')
    const { keyPackage } = await party.keyPackage(erin)
    const honest = await forgeKeyPackage(erin.own.signer, keyPackage, {
      leaf: (leaf) => ({ ...leaf, signatureKey }),
    })
    const forged = { ...honest, signature, leafNode: { ...honest.leafNode, signature } }
    const message = await frameProposal(await mallorys(party), add(forged))
    await expectRejected(party, 'mallory', message, 'key-package-signature-invalid')
  })

  it.each<[string, Bytes, Bytes]>([
    ['of no length', emptyBytes, emptyBytes],
    ['of the order one', identity, universal],
  ])('lets no external sender in: %s', async (_, signatureKey, signature) => {
    const meeting = await Party.of(names)
    const senders = [{ ...meeting.externalSender, signatureKey }]
    const extensionData = encode(ExternalSenders, senders)
    const extensions = [{ extensionType: ExtensionType.externalSenders, extensionData }]
    const party = await Party.of(names, { ...permissive, extensions })
    const message = await frameProposal(await mallorys(party), remove(party.leaf('bob')), {
      sender: { senderType: SenderType.external, senderIndex: 0 },
      auth: (of) => ({ ...of, signature }),
    })
    await expectRejected(party, '', message, 'message-signature-invalid')
  })
})

describe('leaf 0', () => {
  it('is removed, left blank, taken again without a path, updated and replaced like any other', async () => {
    const party = await Party.of(names, permissive)
    for (const name of names) await party.commit(name)
    await party.commit('bob', [remove(0 as LeafIndex)])
    expect(party.group('bob').public.tree.leafNode(0 as LeafIndex)).toBeUndefined()
    await expectAlive(party)

    const erin = await party.person('erin')
    const bundle = await party.keyPackage(erin)
    const pending = await party.group('carol').commit({
      proposals: [add(bundle.keyPackage)],
      path: 'if-required',
    })
    await party.settle('carol', pending)
    const { ratchetTree } = party.group('carol')
    const group = await Group.join(party.environment, {
      welcome: welcomeIn(pending.welcome),
      bundle,
      ratchetTree: async () => ratchetTree,
    })
    expect(group.leafIndex).toBe(0)
    party.participants.unshift({ person: erin, group })
    expect(group.public.tree.parents()[0]?.unmergedLeaves).toEqual([0])
    await expectAlive(party)

    await party.deliver(await party.group('erin').proposeUpdate())
    await party.commit('mallory')
    await party.deliver(await party.group('erin').proposeSelfRemove())
    const last = await party.commit('bob')
    expect(last.effect.removed).toEqual([0])
    expect(party.participants.map(({ person }) => person.name)).toEqual(names.slice(1))
    await expectAlive(party)
  })

  it('is not who is meant where nobody is', async () => {
    const party = await Party.of(names, permissive)
    await party.commit('bob', [remove(0 as LeafIndex)])
    const sender = { senderType: SenderType.member, leafIndex: 0 as LeafIndex }
    const selfRemove = { proposalType: ProposalType.selfRemove } as const
    const message = await frameProposal(await mallorys(party), selfRemove, { sender })
    await expectRejected(party, 'mallory', message, 'message-sender-unknown')
    const forged = await forgeCommit(await mallorys(party), {
      proposals: [byValue(remove(0 as LeafIndex))],
    })
    await expectCommitRefused(party, 'mallory', forged, 'proposal-removes-blank-leaf')
  })
})

describe('a single Remove that is committed without a path', () => {
  it('is refused by everyone, and by who would be removed, who could follow it otherwise', async () => {
    const party = await Party.of(names, permissive)
    const forged = await forgeCommit(await mallorys(party), {
      proposals: [byValue(remove(party.leaf('bob')))],
      path: () => undefined,
    })
    await expectCommitRefused(party, 'mallory', forged, 'commit-path-missing')
    expect(party.group('alice').members).toHaveLength(4)
  })

  it('is not made, not even where as little as possible is asked for', async () => {
    const party = await Party.of(names, permissive)
    const pending = await party.group('mallory').commit({
      proposals: [remove(party.leaf('bob'))],
      path: 'if-required',
    })
    await party.settle('mallory', pending)
    expect(party.group('alice').members).toHaveLength(3)
    expect(viewOf(party.group('alice'))).toEqual(viewOf(party.group('mallory')))
  })
})

it('an Add with the encryption key of a member, which would keep out who joins next, is refused', async () => {
  const party = await Party.of(names, permissive)
  for (const { leafIndex } of party.group('alice').members) {
    const { encryptionKey = emptyBytes } = party.group('bob').public.tree.leafNode(leafIndex) ?? {}
    const keyPackage = await forgeNewcomer(party, { leaf: (leaf) => ({ ...leaf, encryptionKey }) })
    const honest = party.group('alice').commit({ proposals: [add(keyPackage)] })
    await expect(honest).rejects.toMatchObject({ code: 'leaf-encryption-key-duplicate' })
    const forged = await forgeCommit(await mallorys(party), {
      proposals: [byValue(add(keyPackage))],
      path: () => undefined,
    })
    await expectCommitRefused(party, 'mallory', forged, 'leaf-encryption-key-duplicate')
  }
})

function requirements(): Bytes {
  return encode(RequiredCapabilities, {
    extensionTypes: [],
    proposalTypes: [],
    credentialTypes: [],
  })
}
