import { describe, expect, it } from 'vitest'
import { type Bytes, emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import { type FramedContent, type LeafIndex, MlsMessage } from '../../src/wire/index.ts'
import { ContentType, ProposalType, SenderType, WireFormat } from '../../src/wire/registry.ts'
import {
  byValue,
  contentOf,
  epochOf,
  forgeCommit,
  frame,
  frameProposal,
  touched,
} from './malformed.ts'
import { add, groupInfoIn, Party, remove, welcomeIn } from './party.ts'
import {
  expectAlive,
  expectCommitRefused,
  expectRejected,
  type RefusalCode,
  rejectionOf,
} from './refusals.ts'

const names = ['alice', 'bob', 'carol', 'dave', 'mallory']

function mallorys(party: Party) {
  return epochOf(party.group('mallory'))
}

const selfRemove = { proposalType: ProposalType.selfRemove } as const

describe('a message', () => {
  const farOff = (1n << 64n) - 1n

  it.each<[string, (now: bigint) => bigint, RefusalCode]>([
    ['the epoch before', (now) => now - 1n, 'message-epoch-past'],
    ['the next epoch', (now) => now + 1n, 'message-epoch-future'],
    ['the last epoch that can be counted', () => farOff, 'message-epoch-future'],
    ['epoch 0', () => 0n, 'message-epoch-past'],
  ])('of %s is refused, commit and proposal (valn1201, valn1307)', async (_, epoch, code) => {
    const party = await Party.of(names)
    const elsewhere = (content: FramedContent) => ({ ...content, epoch: epoch(content.epoch) })
    const commit = await forgeCommit(await mallorys(party), { content: elsewhere })
    await expectCommitRefused(party, 'mallory', commit, code)
    const now = await mallorys(party)
    const proposal: FramedContent = {
      ...contentOf(now),
      contentType: ContentType.proposal,
      proposal: selfRemove,
    }
    await expectRejected(party, 'mallory', await frame(now, elsewhere(proposal)), code)
  })

  it('of another group is refused', async () => {
    const party = await Party.of(names)
    for (const groupId of [utf8('elsewhere'), touched(party.group('alice').groupId)]) {
      const elsewhere = (content: FramedContent) => ({ ...content, groupId })
      const forged = await forgeCommit(await mallorys(party), { content: elsewhere })
      await expectCommitRefused(party, 'mallory', forged, 'message-group-mismatch')
    }
  })

  it('whose membership tag does not verify is refused (valn1202, valn1302)', async () => {
    const party = await Party.of(names)
    for (const membershipTag of [touched, () => emptyBytes, (tag: Bytes) => tag.slice(0, 31)]) {
      const { message } = await forgeCommit(await mallorys(party), { membershipTag })
      await expectRejected(party, 'mallory', message, 'message-membership-tag-invalid')
      const proposal = await frameProposal(await mallorys(party), selfRemove, { membershipTag })
      await expectRejected(party, 'mallory', proposal, 'message-membership-tag-invalid')
    }
  })

  it('whose signature does not verify is refused, though tagged well (valn1203, valn1301)', async () => {
    const party = await Party.of(names)
    const auth = <T extends { readonly signature: Bytes }>(of: T): T => ({
      ...of,
      signature: touched(of.signature),
    })
    const forged = await forgeCommit(await mallorys(party), { auth })
    await expectCommitRefused(party, 'mallory', forged, 'message-signature-invalid')
    const proposal = await frameProposal(await mallorys(party), selfRemove, { auth })
    await expectRejected(party, 'mallory', proposal, 'message-signature-invalid')
  })

  it('signed for other content is refused (valn1203)', async () => {
    const party = await Party.of(names)
    const signed = (content: FramedContent) => ({ ...content, authenticatedData: utf8('other') })
    const forged = await forgeCommit(await mallorys(party), { signed })
    await expectCommitRefused(party, 'mallory', forged, 'message-signature-invalid')
  })

  it('in the name of another member is refused (valn1301)', async () => {
    const party = await Party.of(names)
    const sender = { senderType: SenderType.member, leafIndex: party.leaf('bob') }
    const proposal = await frameProposal(await mallorys(party), selfRemove, { sender })
    await expectRejected(party, 'mallory', proposal, 'message-signature-invalid')
    const content = (honest: FramedContent) => ({ ...honest, sender })
    const forged = await forgeCommit(await mallorys(party), { content })
    await expectCommitRefused(party, 'mallory', forged, 'message-signature-invalid')
  })

  it.each([5, 7, 8, 0x40000000, 0x80000000, 0x80000004, 0xffffffff])(
    'in the name of leaf %i, where nobody is, is refused',
    async (leaf) => {
      const party = await Party.of(names)
      const sender = { senderType: SenderType.member, leafIndex: leaf as LeafIndex }
      const proposal = await frameProposal(await mallorys(party), selfRemove, { sender })
      await expectRejected(party, 'mallory', proposal, 'message-sender-unknown')
    },
  )

  it('of a member that has been removed is refused', async () => {
    const party = await Party.of(names)
    const { signer } = party.at('bob').person.own
    const sender = { senderType: SenderType.member, leafIndex: party.leaf('bob') }
    await party.deliver(await party.group('bob').proposeSelfRemove())
    await party.commit('alice')
    const proposal = await frameProposal(await mallorys(party), selfRemove, { sender, signer })
    await expectRejected(party, 'mallory', proposal, 'message-sender-unknown')
  })

  it('of an external joiner that does not begin with exactly one ExternalInit is refused', async () => {
    const party = await Party.of(names)
    const erin = await party.person('erin')
    const sender = { senderType: SenderType.newMemberCommit }
    const kemOutput = new Uint8Array(32)
    const externalInit = byValue({ proposalType: ProposalType.externalInit, kemOutput })
    for (const [proposals, code] of [
      [[externalInit, externalInit], 'external-commit-init-count'],
      [[byValue(remove(party.leaf('mallory')))], 'external-commit-init-count'],
      [[], 'external-commit-init-count'],
    ] as const) {
      const forged = await forgeCommit(await mallorys(party), {
        proposals,
        content: (content) => ({ ...content, sender }),
        leaf: (leaf) => ({ ...leaf, signatureKey: erin.own.signer.publicKey }),
        leafSigner: erin.own.signer,
        signer: erin.own.signer,
      })
      await expectCommitRefused(party, 'mallory', forged, code)
    }
  })

  it('that is no PublicMessage, or no message at all, is refused', async () => {
    const party = await Party.of(names)
    const alice = party.group('alice')
    const { keyPackage } = await party.keyPackage(await party.person('erin'))
    const pending = await alice.commit({
      proposals: [add(keyPackage)],
      authenticatedData: emptyBytes,
    })
    const privateMessage = {
      groupId: alice.groupId,
      epoch: alice.epoch,
      contentType: ContentType.commit,
      authenticatedData: emptyBytes,
      encryptedSenderData: emptyBytes,
      ciphertext: emptyBytes,
    }
    const others: readonly MlsMessage[] = [
      { version: 1, wireFormat: WireFormat.privateMessage, privateMessage },
      { version: 1, wireFormat: WireFormat.welcome, welcome: welcomeIn(pending.welcome) },
      { version: 1, wireFormat: WireFormat.groupInfo, groupInfo: groupInfoIn(pending.groupInfo) },
      { version: 1, wireFormat: WireFormat.keyPackage, keyPackage },
    ]
    for (const message of others) {
      const encoded = encode(MlsMessage, message)
      expect(await rejectionOf(alice, encoded)).toBe('message-wire-format-unexpected')
    }
    const version2 = pending.message.slice()
    version2[1] = 2
    expect(await rejectionOf(alice, version2)).toBe('codec-unknown-case')
    expect(await rejectionOf(alice, emptyBytes)).toBe('codec-truncated')
    expect(await rejectionOf(alice, new Uint8Array(100_000).fill(255))).toBe('codec-unknown-case')
    // A group id that claims to have a gibibyte.
    const huge = Uint8Array.of(0, 1, 0, 1, 0xbf, 0xff, 0xff, 0xff, 7)
    expect(await rejectionOf(alice, huge)).toBe('codec-truncated')
    pending.discard()
    await expectAlive(party)
  })
})
