import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/codec/bytes.ts'
import {
  applicationIdExtension,
  applicationIdOf,
  combinePolicies,
  externalSendersMayOnly,
  identityPolicy,
  lifetimesAtMost,
  membersMayOnly,
  x509Validator,
} from '../../src/credentials/index.ts'
import type { Signer } from '../../src/crypto/secret/index.ts'
import { createKeyPackage, type OwnLeaf } from '../../src/mls/bootstrap/index.ts'
import { type GroupPolicy, type Judge, permissivePolicy } from '../../src/mls/public/index.ts'
import type { ProposalList, SourcedProposal } from '../../src/mls/public/proposalList.ts'
import type { Clock } from '../../src/runtime.ts'
import type { Credential, LeafIndex, LeafNode } from '../../src/wire/index.ts'
import { CredentialType, ProposalType, SenderType } from '../../src/wire/registry.ts'
import { Party } from '../mls/party.ts'
import { refusal } from '../mls/refusals.ts'
import {
  credentialOf,
  type Holder,
  issueAuthority,
  revocationBy,
  revocationList,
  trustIn,
  type Wish,
} from './certificates.ts'
import { certify, nameOf, ownLeaf } from './certified.ts'

/** A party of the policy's without members: only keys, clock and log. */
function stage(policy: GroupPolicy): Promise<Party> {
  return Party.of(['nobody'], { policy: combinePolicies(permissivePolicy, policy), extensions: [] })
}

async function leafOf(party: Party, own: OwnLeaf): Promise<LeafNode> {
  const { keyPackage } = await createKeyPackage(party.suite, own, party.lifetime())
  return keyPackage.leafNode
}

function basic(name: string): Credential {
  return { credentialType: CredentialType.basic, identity: utf8(name) }
}

const everyone = identityPolicy({ basic: () => true })

describe('the identity policy', () => {
  it('asks the application about basic credentials', async () => {
    const party = await stage(permissivePolicy)
    const asked: string[] = []
    const policy = identityPolicy({
      basic: (identity, leafNode) => {
        asked.push(new TextDecoder().decode(identity))
        return leafNode.signatureKey.length === 32 && identity.length === 3
      },
    })
    const { groupContext } = party.group('nobody')
    const signer = await party.suite.generateSigner()
    const judge = async (name: string) =>
      policy.checkLeaf(party.suite, await leafOf(party, ownLeaf(signer, basic(name))), groupContext)
    await judge('ann')
    await expect(judge('mallory')).rejects.toEqual(refusal('policy-identity-refused'))
    expect(asked).toEqual(['ann', 'mallory'])
  })

  it('refuses a type of credential that it has no rule for', async () => {
    const party = await stage(permissivePolicy)
    const root = await issueAuthority('Root')
    const signer = await party.suite.generateSigner()
    const ann = await certify(root, signer, 'ann@example.org')
    const leaves = {
      basic: await leafOf(party, ownLeaf(signer, basic('ann'))),
      x509: await leafOf(party, ownLeaf(signer, credentialOf(ann))),
    }
    const validator = x509Validator(trustIn([root]))
    const { groupContext } = party.group('nobody')
    const unsupported = refusal('policy-credential-unsupported')
    await expect(everyone.checkLeaf(party.suite, leaves.x509, groupContext)).rejects.toEqual(
      unsupported,
    )
    const certified = identityPolicy({ x509: { validator, identityOf: nameOf } })
    await certified.checkLeaf(party.suite, leaves.x509, groupContext)
    await expect(certified.checkLeaf(party.suite, leaves.basic, groupContext)).rejects.toEqual(
      unsupported,
    )
  })

  it('lets a leaf be succeeded by one of the same identity and type only', async () => {
    const party = await stage(permissivePolicy)
    const root = await issueAuthority('Root')
    const [old, fresh] = [await party.suite.generateSigner(), await party.suite.generateSigner()]
    const certified = async (signer: Signer, email: string) =>
      leafOf(party, ownLeaf(signer, credentialOf(await certify(root, signer, email))))
    const policy = identityPolicy({
      basic: () => true,
      x509: { validator: x509Validator(trustIn([root])), identityOf: nameOf },
    })
    const { groupContext } = party.group('nobody')
    const judge = (next: LeafNode, previous: LeafNode) =>
      policy.checkLeaf(party.suite, next, groupContext, previous)
    const ann = await certified(old, 'ann')
    await judge(await certified(fresh, 'ann'), ann)
    for (const other of [
      await certified(fresh, 'bob'),
      await leafOf(party, ownLeaf(fresh, basic('ann'))),
    ]) {
      await expect(judge(other, ann)).rejects.toEqual(refusal('policy-identity-changed'))
    }
  })

  it('validates a credential when it is new, and the key that it comes with', async () => {
    const party = await stage(permissivePolicy)
    const root = await issueAuthority('Root')
    const [signer, other] = [await party.suite.generateSigner(), await party.suite.generateSigner()]
    const ann = await certify(root, signer, 'ann')
    const lists = revocationBy(false, await revocationList(root, [ann]))
    const policy = identityPolicy({
      x509: { validator: x509Validator(trustIn([root], lists)), identityOf: nameOf },
    })
    const { groupContext } = party.group('nobody')
    const leaf = await leafOf(party, ownLeaf(signer, credentialOf(ann)))
    await expect(policy.checkLeaf(party.suite, leaf, groupContext)).rejects.toEqual(
      refusal('credential-revoked'),
    )
    await policy.checkLeaf(party.suite, leaf, groupContext, leaf)
    const rekeyed = await leafOf(party, ownLeaf(other, credentialOf(ann)))
    await expect(policy.checkLeaf(party.suite, rekeyed, groupContext, leaf)).rejects.toEqual(
      refusal('credential-key-mismatch'),
    )
  })

  it('judges by time as strictly as the one who asks has to', async () => {
    const party = await stage(permissivePolicy)
    const root = await issueAuthority('Root')
    const signer = await party.suite.generateSigner()
    const leaf = await leafOf(
      party,
      ownLeaf(signer, credentialOf(await certify(root, signer, 'ann', { until: 60_000 }))),
    )
    const later = { now: () => party.clock.now() + 3_600_000 }
    const judge = (clock: Pick<Clock, 'now'>, by?: Judge) =>
      identityPolicy({
        x509: { validator: x509Validator({ ...trustIn([root]), clock }), identityOf: nameOf },
      }).checkLeaf(party.suite, leaf, party.group('nobody').groupContext, undefined, by)
    const expired = refusal('credential-expired')
    await judge(party.clock)
    await expect(judge(party.clock, 'sender')).rejects.toEqual(expired)
    await expect(judge(later)).rejects.toEqual(expired)
    await judge(later, 'joiner')
  })

  it('judges external senders as it judges members, but not by time', async () => {
    const party = await stage(permissivePolicy)
    const root = await issueAuthority('Root')
    const stranger = await issueAuthority('Root')
    const signer = await party.suite.generateSigner()
    const policy = identityPolicy({
      basic: (identity, { signatureKey }) => identity.length === 3 && signatureKey.length === 32,
      x509: { validator: x509Validator(trustIn([root])), identityOf: nameOf },
    })
    const { groupContext } = party.group('nobody')
    const judge = (credential: Credential) =>
      policy.checkExternalSender(
        party.suite,
        { signatureKey: signer.publicKey, credential },
        groupContext,
      )
    const certified = async (authority: Holder, wish: Wish = {}) =>
      credentialOf(await certify(authority, signer, 'server', wish))
    await judge(basic('srv'))
    await expect(judge(basic('mallory'))).rejects.toEqual(refusal('policy-identity-refused'))
    await judge(await certified(root))
    await judge(await certified(root, { until: -3_600_000 }))
    await expect(judge(await certified(stranger))).rejects.toEqual(
      refusal('credential-signature-invalid'),
    )
  })

  it('names clients by identity, so that two types of credential are two', async () => {
    const party = await stage(permissivePolicy)
    const root = await issueAuthority('Root')
    const [one, two] = [await party.suite.generateSigner(), await party.suite.generateSigner()]
    const policy = identityPolicy({
      basic: () => true,
      x509: { validator: x509Validator(trustIn([root])), identityOf: nameOf },
    })
    const clientOf = async (signer: Signer, credential: Credential) =>
      policy.clientOf(await leafOf(party, ownLeaf(signer, credential)))
    const ann = await clientOf(one, basic('ann'))
    expect(await clientOf(two, basic('ann'))).toBe(ann)
    expect(await clientOf(one, basic('bob'))).not.toBe(ann)
    const certified = await clientOf(one, credentialOf(await certify(root, one, 'ann')))
    expect(await clientOf(two, credentialOf(await certify(root, two, 'ann')))).toBe(certified)
    expect(certified).not.toBe(ann)
  })
})

describe('rules for senders', () => {
  const removal: SourcedProposal['proposal'] = {
    proposalType: ProposalType.remove,
    removed: 1 as LeafIndex,
  }
  const leave: SourcedProposal['proposal'] = { proposalType: ProposalType.selfRemove }
  const member = { senderType: SenderType.member, leafIndex: 0 as LeafIndex } as const
  const outsider = { senderType: SenderType.external, senderIndex: 0 } as const
  const forbidden = refusal('policy-proposal-forbidden')

  it.each([
    ['external senders', externalSendersMayOnly([ProposalType.remove]), outsider, member],
    ['members', membersMayOnly([ProposalType.remove]), member, outsider],
  ] as const)(
    'hold %s to the listed types, alone and in a commit',
    async (_, policy, bound, free) => {
      const party = await stage(permissivePolicy)
      const { groupContext, public: group } = party.group('nobody')
      const propose = (proposal: SourcedProposal) => () =>
        policy.checkProposal(proposal, group.tree, groupContext)
      const commit = (...all: readonly SourcedProposal[]) => {
        const list: ProposalList = {
          committer: 0 as LeafIndex,
          groupContextExtensions: undefined,
          updates: [],
          removes: [],
          adds: [],
          preSharedKeys: [],
          reInit: undefined,
          externalInit: undefined,
          all,
        }
        return () => policy.checkProposals(list, group.tree, groupContext)
      }
      const allowed = { proposal: removal, sender: bound }
      const refused = { proposal: leave, sender: bound }
      const notMeant = { proposal: leave, sender: free }
      for (const proposal of [allowed, notMeant]) expect(propose(proposal)).not.toThrow()
      expect(propose(refused)).toThrow(forbidden)
      expect(commit(allowed, notMeant)).not.toThrow()
      expect(commit(allowed, refused)).toThrow(forbidden)
    },
  )

  it('are followed by every member of a group', async () => {
    const policy = combinePolicies(everyone, membersMayOnly([ProposalType.add]))
    const party = await Party.of(['ann', 'bob'], { policy, extensions: [] })
    const proposal = await party.group('bob').propose(leave)
    const received = await party.group('ann').receive(proposal)
    expect(received).toMatchObject({ kind: 'rejected', error: forbidden })
  })
})

describe('combined policies', () => {
  it('refuse what any of them refuses, in all that they are asked', async () => {
    const party = await stage(permissivePolicy)
    const { groupContext, public: group } = party.group('nobody')
    const leafNode = group.tree.leafNode(0 as LeafIndex) as LeafNode
    const refuse = () => {
      throw new Error('no')
    }
    const proposal = { proposal: { proposalType: ProposalType.selfRemove }, sender: undefined }
    for (const method of ['checkGroup', 'checkProposal', 'checkProposals', 'checkLeaf'] as const) {
      const never = { ...permissivePolicy, [method]: refuse }
      for (const combined of [
        combinePolicies(permissivePolicy, never),
        combinePolicies(never, permissivePolicy),
      ]) {
        const asked: Record<typeof method, () => unknown> = {
          checkGroup: () => combined.checkGroup(groupContext, group.tree),
          checkProposal: () => combined.checkProposal(proposal as never, group.tree, groupContext),
          checkProposals: () => combined.checkProposals({} as never, group.tree, groupContext),
          checkLeaf: () => combined.checkLeaf(party.suite, leafNode, groupContext),
        }
        for (const [name, ask] of Object.entries(asked)) {
          const refused = await Promise.resolve()
            .then(ask)
            .then(
              () => false,
              () => true,
            )
          expect(refused, `${name} where ${method} refuses`).toBe(name === method)
        }
      }
    }
  })

  it('demand what one demands, and name clients as the first that names them', () => {
    const path: GroupPolicy = {
      ...permissivePolicy,
      pathAlwaysRequired: true,
      handshakes: 'public',
    }
    const named = (name: string): GroupPolicy => ({ ...permissivePolicy, clientOf: () => name })
    const combined = combinePolicies(permissivePolicy, path, named('one'), named('two'))
    expect(combined.pathAlwaysRequired).toBe(true)
    expect(combined.handshakes).toBe('public')
    expect(combined.clientOf?.({} as LeafNode)).toBe('one')
    expect(combinePolicies(permissivePolicy)).not.toHaveProperty('clientOf')
    expect(combinePolicies(permissivePolicy).pathAlwaysRequired).toBe(false)
    expect(combinePolicies(permissivePolicy).handshakes).toBe('any')
    const few = { ...permissivePolicy, addsByValue: 2 }
    expect(combinePolicies(permissivePolicy, few).addsByValue).toBe(2)
  })
})

describe('the longest lifetime', () => {
  it('is a limit for KeyPackages, in seconds', async () => {
    const party = await stage(permissivePolicy)
    const { groupContext } = party.group('nobody')
    const own = ownLeaf(await party.suite.generateSigner(), basic('ann'))
    const judge = async (seconds: bigint) => {
      const lifetime = { notBefore: 1000n, notAfter: 1000n + seconds }
      const { keyPackage } = await createKeyPackage(party.suite, own, lifetime)
      return lifetimesAtMost(600.5).checkLeaf(party.suite, keyPackage.leafNode, groupContext)
    }
    await judge(600n)
    await expect(judge(601n)).rejects.toEqual(refusal('policy-lifetime-too-long'))
  })
})

describe('an application id', () => {
  it('stands in a leaf and is read from there', async () => {
    const party = await stage(permissivePolicy)
    const signer = await party.suite.generateSigner()
    const own = ownLeaf(signer, basic('ann'))
    const extensions = [applicationIdExtension(utf8('phone'))]
    expect(applicationIdOf(await leafOf(party, { ...own, extensions }))).toEqual(utf8('phone'))
    expect(applicationIdOf(await leafOf(party, own))).toBeUndefined()
  })

  it('that cannot be read is refused', async () => {
    const party = await stage(permissivePolicy)
    const own = ownLeaf(await party.suite.generateSigner(), basic('ann'))
    const extensions = [{ extensionType: 1, extensionData: utf8('?') }]
    const leaf = await leafOf(party, { ...own, extensions })
    expect(() => applicationIdOf(leaf)).toThrow(refusal('extension-malformed'))
  })
})
