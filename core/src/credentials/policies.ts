import { type GroupPolicy, permissivePolicy } from '../mls/public/policy.ts'
import type { SourcedProposal } from '../mls/public/proposalList.ts'
import { LeafNodeSource, SenderType } from '../wire/registry.ts'
import { PolicyError } from './credentialError.ts'

/**
 * Refuses what any of them refuses, demands a path or public handshakes where one demands them, and
 * bounds Adds by the lowest bound.
 * Clients and parties are named by the first that names them.
 */
export function combinePolicies(...policies: readonly GroupPolicy[]): GroupPolicy {
  const naming = policies.find(namesClients)
  const parting = policies.find(namesParties)
  // Required, so that a question which policies are asked in future is not forgotten here.
  const combined: Required<Omit<GroupPolicy, 'clientOf' | 'partyOf'>> = {
    pathAlwaysRequired: policies.some(({ pathAlwaysRequired }) => pathAlwaysRequired),
    handshakes: policies.some(({ handshakes }) => handshakes === 'public') ? 'public' : 'any',
    addsByValue: Math.min(...policies.map((policy) => policy.addsByValue ?? Infinity)),
    checkGroup: (...group) => {
      for (const policy of policies) policy.checkGroup(...group)
    },
    checkLeaf: async (...leaf) => {
      for (const policy of policies) await policy.checkLeaf(...leaf)
    },
    checkExternalSender: async (...sender) => {
      for (const policy of policies) await policy.checkExternalSender?.(...sender)
    },
    checkProposal: (...proposal) => {
      for (const policy of policies) policy.checkProposal(...proposal)
    },
    checkReferable: (...proposal) => {
      for (const policy of policies) policy.checkReferable?.(...proposal)
    },
    checkProposals: (...proposals) => {
      for (const policy of policies) policy.checkProposals(...proposals)
    },
  }
  return {
    ...combined,
    ...(naming && { clientOf: (leafNode) => naming.clientOf(leafNode) }),
    ...(parting && { partyOf: (leafNode) => parting.partyOf(leafNode) }),
  }
}

function namesClients(policy: GroupPolicy): policy is Required<GroupPolicy> {
  return policy.clientOf !== undefined
}

function namesParties(policy: GroupPolicy): policy is Required<GroupPolicy> {
  return policy.partyOf !== undefined
}

/** External senders (RFC 9420 §12.1.8.1) may propose only these types. */
export function externalSendersMayOnly(types: readonly number[]): GroupPolicy {
  return sendersMayOnly(SenderType.external, types)
}

/** Members may propose only these types, by value as by reference. */
export function membersMayOnly(types: readonly number[]): GroupPolicy {
  return sendersMayOnly(SenderType.member, types)
}

function sendersMayOnly(senderType: number, types: readonly number[]): GroupPolicy {
  const check = ({ proposal, sender }: SourcedProposal) => {
    if (sender.senderType === senderType && !types.includes(proposal.proposalType)) {
      throw new PolicyError('policy-proposal-forbidden', 'the sender may not propose this')
    }
  }
  return {
    ...permissivePolicy,
    checkProposal: check,
    checkProposals: ({ all }) => all.forEach(check),
  }
}

/** RFC 9420 §7.2: no KeyPackage is valid for longer than this, in seconds. */
export function lifetimesAtMost(seconds: number): GroupPolicy {
  return {
    ...permissivePolicy,
    checkLeaf: async (_crypto, leafNode) => {
      if (leafNode.leafNodeSource !== LeafNodeSource.keyPackage) return
      const { notBefore, notAfter } = leafNode.lifetime
      if (notAfter - notBefore > BigInt(Math.floor(seconds))) {
        throw new PolicyError('policy-lifetime-too-long', `valid for over ${seconds} seconds`)
      }
    },
  }
}
