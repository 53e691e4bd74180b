import { equalBytes } from '../../codec/bytes.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import type { Extensions } from '../../wire/extension.ts'
import type { Sender } from '../../wire/framing.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import type { LeafIndex, LeafNode } from '../../wire/ratchetTree.ts'
import {
  LeafNodeSource,
  ProposalType,
  PskType,
  ResumptionPskUsage,
  SenderType,
} from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { checkExtensions } from '../treesync/extensions.ts'
import { checkLeafNode, verifyLeafNodeSignature } from '../treesync/leafNode.ts'
import type { PublicTree } from '../treesync/publicTree.ts'
import { externalSenders, leafRequirements, requiredCapabilities } from './groupExtensions.ts'
import { checkLifetime, verifyKeyPackage } from './keyPackage.ts'
import type { PublicEnvironment } from './policy.ts'
import type { SourcedProposal } from './proposalList.ts'

/** RFC 9420 §12.1.8, table "External": what an external sender may propose. */
const externalTypes: readonly number[] = [
  ProposalType.add,
  ProposalType.remove,
  ProposalType.psk,
  ProposalType.reInit,
  ProposalType.groupContextExtensions,
]

/** RFC 9420 §12.2: what a newcomer may commit; SelfRemoves come by reference. */
const newcomersTypes: readonly number[] = [
  ProposalType.externalInit,
  ProposalType.remove,
  ProposalType.psk,
]

/**
 * RFC 9420 §12.1: a proposal by itself, whoever commits it later.
 * @throws MlsError `proposal-…`, `leaf-…`, `key-package-…`, or what the policy throws
 */
export async function checkProposal(
  environment: PublicEnvironment,
  crypto: PublicSuite,
  { proposal, sender }: SourcedProposal,
  context: GroupContext,
  tree: PublicTree,
  by: 'sender' | 'receiver' = 'receiver',
): Promise<void> {
  if (sender.senderType === SenderType.external && !externalTypes.includes(proposal.proposalType)) {
    throw new MlsError('proposal-not-external', 'an external sender may not propose this')
  }
  if (
    sender.senderType === SenderType.newMemberCommit &&
    !newcomersTypes.includes(proposal.proposalType)
  ) {
    throw new MlsError('external-commit-proposal-not-allowed', 'not for a newcomer to commit')
  }
  environment.policy.checkProposal({ proposal, sender }, tree, context)
  switch (proposal.proposalType) {
    case ProposalType.add: {
      const { keyPackage } = proposal
      await verifyKeyPackage(crypto, keyPackage)
      checkLifetime(keyPackage.leafNode, environment.clock.now(), by)
      checkLeafNode(keyPackage.leafNode, leafRequirements(context))
      await environment.policy.checkLeaf(crypto, keyPackage.leafNode, context, undefined, by)
      return
    }
    case ProposalType.update:
      if (sender.senderType !== SenderType.member) {
        throw new MlsError('message-sender-not-allowed', 'only a member can update its leaf')
      }
      return checkUpdatedLeaf(
        environment,
        crypto,
        { leafIndex: sender.leafIndex, leafNode: proposal.leafNode },
        context,
        tree,
      )
    case ProposalType.remove:
      if (tree.leafNode(proposal.removed) === undefined) {
        throw new MlsError('proposal-removes-blank-leaf', 'there is nobody at the removed leaf')
      }
      return
    case ProposalType.selfRemove:
      if (sender.senderType !== SenderType.member) {
        throw new MlsError('message-sender-not-allowed', 'only a member can remove itself')
      }
      return
    case ProposalType.psk: {
      const { psk } = proposal
      const continues =
        psk.pskType === PskType.resumption && psk.usage !== ResumptionPskUsage.application
      if (
        (continues && !mayContinue(sender, context, tree)) ||
        psk.pskNonce.length !== crypto.suite.Nh
      ) {
        throw new MlsError('proposal-psk-invalid', 'not a pre-shared key for an ordinary commit')
      }
      return
    }
    case ProposalType.reInit:
      if (proposal.version < context.version) {
        throw new MlsError('proposal-reinit-invalid', 'a ReInit cannot lower the version')
      }
      checkContextExtensions(proposal.extensions)
      return
    case ProposalType.groupContextExtensions:
      checkContextExtensions(proposal.extensions)
      return
    case ProposalType.externalInit:
      if (sender.senderType !== SenderType.newMemberCommit) {
        throw new MlsError('proposals-external-init-misplaced', 'only an external commit has one')
      }
      return
    case ProposalType.custom: {
      const rules = environment.customProposals?.get(proposal.customType)
      if (rules === undefined) {
        throw new MlsError('proposal-type-unsupported', `no proposal type ${proposal.customType}`)
      }
      if (!rules.senders.includes(sender.senderType)) {
        throw new MlsError('proposal-sender-not-allowed', 'this kind of sender may not propose it')
      }
      rules.check({ proposal, sender }, tree, context)
      return
    }
  }
}

/**
 * §11.2, §11.3: a founder links a group to the one that it continues before anybody else is there.
 * Everyone else learns of it in the Welcome, never by a proposal.
 */
function mayContinue(sender: Sender, { epoch }: GroupContext, tree: PublicTree): boolean {
  return sender.senderType === SenderType.member && epoch === 0n && tree.memberCount === 1
}

function checkContextExtensions(extensions: Extensions): void {
  checkExtensions(extensions, 'group-context')
  requiredCapabilities(extensions)
  externalSenders(extensions)
}

/** §12.1.2 */
async function checkUpdatedLeaf(
  environment: PublicEnvironment,
  crypto: PublicSuite,
  { leafIndex, leafNode }: { leafIndex: LeafIndex; leafNode: LeafNode },
  context: GroupContext,
  tree: PublicTree,
): Promise<void> {
  if (leafNode.leafNodeSource !== LeafNodeSource.update) {
    throw new MlsError('leaf-source-wrong', "an Update's leaf must say so")
  }
  const current = tree.leafNode(leafIndex)
  if (current !== undefined && equalBytes(current.encryptionKey, leafNode.encryptionKey)) {
    throw new MlsError('proposal-update-key-unchanged', 'an Update must bring a new key')
  }
  checkLeafNode(leafNode, leafRequirements(context))
  await verifyLeafNodeSignature(crypto, leafNode, { groupId: context.groupId, leafIndex })
  await environment.policy.checkLeaf(crypto, leafNode, context, current, 'receiver')
}
