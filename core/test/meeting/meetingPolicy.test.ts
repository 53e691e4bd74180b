import { encode, fromHex, utf8 } from '@conclave/core/codec'
import {
  conclaveCapabilities,
  foundingExtensions,
  foundingTerms,
  type MeetingErrorCode,
  type MeetingExpectation,
  type MeetingTrust,
  meetingExtension,
  meetingPolicy,
} from '@conclave/core/meeting'
import type { ProposalList, SourcedProposal } from '@conclave/core/mls/public'
import { PublicTree } from '@conclave/core/mls/treesync'
import {
  type Extension,
  type Extensions,
  type ExternalSender,
  ExternalSenders,
  type KeyPackage,
  type LeafIndex,
  type LeafNode,
  type Proposal,
  RequiredCapabilities,
  type Sender,
} from '@conclave/core/wire'
import { describe, expect, it } from 'vitest'
import { contextWith, crypto, type LeafOptions, meetingId, memberLeaf } from './leaves.ts'

const keyserver: ExternalSender = {
  signatureKey: fromHex('11'.repeat(32)),
  credential: { credentialType: 1, identity: utf8('keyserver') },
}
const open: MeetingTrust = { policy: 'open' }
const founding = foundingExtensions(meetingId, open, keyserver)

function failure(code: MeetingErrorCode): unknown {
  return expect.objectContaining({ name: 'MeetingError', code })
}

function check(extensions: Extensions, expected: Partial<MeetingExpectation> = {}): () => void {
  const policy = meetingPolicy({ meetingId, ...expected })
  return () => policy.checkGroup(contextWith(extensions), founders)
}

function replaced(extension: Extension): Extensions {
  return founding.map((e) => (e.extensionType === extension.extensionType ? extension : e))
}

function without(type: number): Extensions {
  return founding.filter(({ extensionType }) => extensionType !== type)
}

const terms = foundingTerms(meetingId, open)
const founders = PublicTree.ofFounder(await memberLeaf())

describe("a group's parameters", () => {
  it('are accepted as they were founded, by members and by the keyserver', () => {
    expect(check(founding, { trust: open })).not.toThrow()
    expect(check(founding, { externalSender: keyserver })).not.toThrow()
  })

  it('of another meeting are refused', () => {
    const elsewhere = foundingExtensions('retro', open, keyserver)
    expect(check(elsewhere, { trust: open })).toThrow(failure('meeting-terms-differ'))
    expect(check(elsewhere)).toThrow(failure('meeting-terms-differ'))
  })

  it.each([
    ['SFrame suite', { sframeCipherSuite: 5 }],
    ['epoch bits', { epochBits: 4 }],
    ['leaf bits', { leafBits: 16 }],
  ])('with other %s are refused by members and by the keyserver', (_, change) => {
    const other = replaced(meetingExtension({ ...terms, ...change }))
    expect(check(other, { trust: open })).toThrow(failure('meeting-terms-differ'))
    expect(check(other)).toThrow(failure('meeting-terms-differ'))
  })

  it.each([
    ['policy', { admissionPolicy: 2 as const }],
    ['admission key', { admissionKeys: [fromHex('aa')] }],
    ['pinned root', { rootFingerprints: [fromHex('aa')] }],
  ])("with a %s that the caller's trust does not name are refused", (_, change) => {
    const other = replaced(meetingExtension({ ...terms, ...change }))
    expect(check(other, { trust: open })).toThrow(failure('meeting-terms-differ'))
  })

  it('cannot be locked or revoke tickets, since under this policy nobody may do either', () => {
    for (const change of [{ locked: 1 as const }, { revoked: [fromHex('aa')] }]) {
      const changed = replaced(meetingExtension({ ...terms, ...change }))
      expect(check(changed)).toThrow(failure('meeting-terms-differ'))
      expect(check(changed, { trust: open })).toThrow(failure('meeting-terms-differ'))
    }
  })

  it('leave no leaf without a number in the KID layout', async () => {
    const policy = meetingPolicy({ meetingId })
    const leaf = await memberLeaf()
    let tree = founders
    while (tree.leafCount <= 1024) tree = tree.withAddedLeaf(leaf).tree
    expect(() => policy.checkGroup(contextWith(founding), tree)).toThrow(failure('meeting-full'))
  })

  it('without required capabilities, or with fewer, are refused', () => {
    const violated = failure('group-conventions-violated')
    expect(check(without(3))).toThrow(violated)
    for (const fewer of [
      { extensionTypes: [0xf000] },
      { extensionTypes: [0xf001] },
      { proposalTypes: [] },
    ]) {
      const extensionData = encode(RequiredCapabilities, { ...conclaveCapabilities, ...fewer })
      expect(check(replaced({ extensionType: 3, extensionData }))).toThrow(violated)
    }
  })

  it('let exactly one external sender in, and the keyserver only itself', () => {
    const violated = failure('group-conventions-violated')
    const other = { ...keyserver, signatureKey: fromHex('22'.repeat(32)) }
    const senders = (...list: readonly ExternalSender[]) =>
      replaced({ extensionType: 5, extensionData: encode(ExternalSenders, list) })
    expect(check(without(5))).toThrow(violated)
    expect(check(senders())).toThrow(violated)
    expect(check(senders(keyserver, other))).toThrow(violated)
    expect(check(senders(other), { externalSender: keyserver })).toThrow(violated)
    expect(check(senders(other), { trust: open })).not.toThrow()
  })

  it('that cannot be read are refused', () => {
    const unreadable = { extensionType: 0xf000, extensionData: fromHex('00') }
    expect(check(replaced(unreadable))).toThrow(failure('meeting-extension-invalid'))
    expect(check(without(0xf000))).toThrow(failure('meeting-extension-invalid'))
  })
})

describe('who a leaf belongs to where a group continues another', () => {
  it('is a person with a device, whatever keys the leaf has', async () => {
    const partyOf = async (options: LeafOptions) =>
      meetingPolicy({ meetingId }).partyOf?.(await memberLeaf(options))
    const alice = await partyOf({})
    expect(await partyOf({ leafKey: 7, certifiedFor: 'retro' })).toBe(alice)
    expect(await partyOf({ deviceKey: 7 })).not.toBe(alice)
    expect(await partyOf({ identity: 'bob' })).not.toBe(alice)
  })
})

describe('a leaf', () => {
  const policy = meetingPolicy({ meetingId, trust: open })
  const context = contextWith(founding)
  const judge = async (leaf: LeafNode, previous?: LeafNode) =>
    policy.checkLeaf(crypto, leaf, context, previous)

  it('certified by its device is accepted, and as its own successor', async () => {
    const leaf = await memberLeaf()
    await expect(judge(leaf)).resolves.toBeUndefined()
    await expect(judge({ ...leaf, encryptionKey: fromHex('aa') }, leaf)).resolves.toBeUndefined()
  })

  it('is not verified again while it says the same of the same key, and is when it does not', async () => {
    const leaf = await memberLeaf()
    const forged = await memberLeaf({ certifiedFor: 'retro' })
    const after = { ...leaf, encryptionKey: fromHex('aa') }
    const verifying = { ...crypto, verify: () => Promise.reject(new Error('asked to verify')) }
    await expect(policy.checkLeaf(verifying, after, context, leaf)).resolves.toBeUndefined()
    for (const previous of [undefined, forged]) {
      await expect(policy.checkLeaf(verifying, after, context, previous)).rejects.toThrow('asked')
    }
    await expect(judge(forged, leaf)).rejects.toEqual(failure('member-extension-invalid'))
  })

  it('certified for another meeting is refused', async () => {
    const leaf = await memberLeaf({ certifiedFor: 'retro' })
    await expect(judge(leaf)).rejects.toEqual(failure('member-extension-invalid'))
  })

  it('with an x509 credential is refused for as long as nothing checks it', async () => {
    const leaf = await memberLeaf()
    const credential = { credentialType: 2 as const, certificates: [] }
    await expect(judge({ ...leaf, credential })).rejects.toEqual(
      failure('member-credential-unsupported'),
    )
  })

  it.each<[string, LeafOptions]>([
    ['identity', { identity: 'mallory' }],
    ['signature key', { leafKey: 7 }],
    ['device', { deviceKey: 7 }],
  ])('may not change its %s while it is in the group', async (_, change) => {
    const [before, after] = await Promise.all([memberLeaf(), memberLeaf(change)])
    await expect(judge(after)).resolves.toBeUndefined()
    await expect(judge(after, before)).rejects.toEqual(failure('member-changed'))
  })
})

function keyPackageOf(leafNode: LeafNode): KeyPackage {
  const initKey = fromHex('aa')
  return { version: 1, cipherSuite: 1, initKey, leafNode, extensions: [], signature: fromHex('') }
}

describe('a proposal', () => {
  const policy = meetingPolicy({ meetingId, trust: open })
  const leafIndex = 0 as LeafIndex
  const senders = {
    member: { senderType: 1, leafIndex },
    keyserver: { senderType: 2, senderIndex: 0 },
    'new member': { senderType: 3 },
    'external joiner': { senderType: 4 },
  } as const satisfies Readonly<Record<string, Sender>>

  function judge(
    tree: PublicTree,
    all: readonly SourcedProposal[],
    counts?: Partial<ProposalList>,
  ) {
    const list: ProposalList = {
      committer: leafIndex,
      groupContextExtensions: undefined,
      updates: [],
      removes: [],
      adds: [],
      preSharedKeys: [],
      reInit: undefined,
      externalInit: undefined,
      all,
      ...counts,
    }
    return () => policy.checkProposals(list, tree, contextWith(founding))
  }

  it('is allowed to exactly those whose part it is', async () => {
    const leafNode = await memberLeaf()
    const tree = PublicTree.ofFounder(leafNode)
    const keyPackage = keyPackageOf(leafNode)
    const psk = { pskType: 1, pskId: fromHex(''), pskNonce: fromHex('') } as const
    const groupId = new Uint8Array(16).fill(1)
    const rules: readonly [proposal: Proposal, allowed: readonly (keyof typeof senders)[]][] = [
      [{ proposalType: 1, keyPackage }, ['member']],
      [{ proposalType: 2, leafNode }, ['member']],
      [{ proposalType: 3, removed: leafIndex }, ['keyserver', 'external joiner']],
      [{ proposalType: 4, psk }, []],
      [{ proposalType: 5, groupId, version: 1, cipherSuite: 1, extensions: founding }, ['member']],
      [{ proposalType: 6, kemOutput: fromHex('') }, ['external joiner']],
      [{ proposalType: 7, extensions: founding }, []],
      [{ proposalType: 10 }, ['member']],
    ]
    for (const [proposal, allowed] of rules) {
      for (const [name, sender] of Object.entries(senders)) {
        const judged = judge(tree, [{ proposal, sender }])
        if (allowed.some((who) => who === name)) expect(judged).not.toThrow()
        else expect(judged).toThrow(failure('proposal-not-authorised'))
      }
    }
  })

  it('to go on with another suite changes nothing else, and is of a suite that all can do', async () => {
    const leaf = await memberLeaf()
    const both = { ...leaf.capabilities, cipherSuites: [1, 2, 3] }
    const able = PublicTree.ofFounder({ ...leaf, capabilities: both })
    const groupId = new Uint8Array(16).fill(1)
    const next = {
      proposalType: 5,
      groupId,
      version: 1,
      cipherSuite: 3,
      extensions: founding,
    } as const
    const judged = (change: Partial<typeof next | object>, tree = able) => {
      const sourced = { proposal: { ...next, ...change }, sender: senders.member }
      return () => policy.checkProposal(sourced, tree, contextWith(founding))
    }
    expect(judged({})).not.toThrow()
    const notAllowed = failure('reinit-not-allowed')
    for (const change of [
      { groupId: new Uint8Array(16) },
      { groupId: new Uint8Array(15) },
      { version: 2 },
      { cipherSuite: 2 },
      { cipherSuite: 7 },
      { cipherSuite: 99 },
      { extensions: founding.toReversed() },
      { extensions: replaced(meetingExtension({ ...terms, meetingId: utf8('retro') })) },
    ]) {
      expect(judged(change)).toThrow(notAllowed)
    }
    expect(judged({}, able.withAddedLeaf(leaf).tree)).toThrow(notAllowed)
  })

  it('carries a key of the group before in the commit that founds the next, and nowhere else', () => {
    const pskNonce = fromHex('')
    const ids = { pskGroupId: fromHex(''), pskEpoch: 1n, pskNonce }
    const sourced = (usage: number, sender: Sender = senders.member): SourcedProposal => ({
      proposal: { proposalType: 4, psk: { pskType: 2, usage, ...ids } },
      sender,
    })
    const judged = (proposal: SourcedProposal, epoch = 0n) => {
      const context = { ...contextWith(founding), epoch }
      return () => policy.checkProposal(proposal, founders, context)
    }
    expect(judged(sourced(2))).not.toThrow()
    const unauthorised = failure('proposal-not-authorised')
    expect(judged(sourced(2), 1n)).toThrow(unauthorised)
    expect(judged(sourced(1))).toThrow(unauthorised)
    expect(judged(sourced(3))).toThrow(unauthorised)
    expect(judged(sourced(2, senders['external joiner']))).toThrow(unauthorised)
  })

  it('that would make a member without a KID is refused', async () => {
    const leafNode = await memberLeaf()
    let full = PublicTree.ofFounder(leafNode)
    while (full.memberCount < 2 ** 10) full = full.withAddedLeaf(leafNode).tree
    const added = { keyPackage: keyPackageOf(leafNode), sender: senders.member }
    const removed = { leafIndex, kind: 'remove' as const, sender: senders.keyserver }
    expect(judge(full, [], { adds: [added] })).toThrow(failure('meeting-full'))
    expect(judge(full, [], { adds: [added], removes: [removed] })).not.toThrow()
    expect(judge(full.withoutLeaf(leafIndex), [], { adds: [added] })).not.toThrow()
    const externalInit = fromHex('aa')
    expect(judge(full, [], { externalInit })).toThrow(failure('meeting-full'))
    expect(judge(full, [], { externalInit, removes: [removed] })).not.toThrow()
  })
})
