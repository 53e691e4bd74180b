import { type Bytes, fromHex } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'

import { signWithLabel } from '../../crypto/secret/sign.ts'
import type { Commit, ProposalOrRef } from '../../wire/commit.ts'
import {
  type AuthenticatedContent,
  type FramedContent,
  FramedContentTbs,
  MlsMessage,
  type Sender,
} from '../../wire/framing.ts'
import type { Proposal } from '../../wire/proposal.ts'
import type { LeafNode } from '../../wire/ratchetTree.ts'
import {
  ContentType,
  LeafNodeSource,
  ProposalOrRefType,
  ProposalType,
  ProtocolVersion,
  SenderType,
  WireFormat,
} from '../../wire/registry.ts'
import { signGroupInfo } from '../bootstrap/groupInfo.ts'
import { signLeafNode } from '../bootstrap/keyPackageBundle.ts'
import { sealWelcome } from '../bootstrap/welcome.ts'
import { framedContentLabel, framedContentTbs } from '../public/contentSignature.ts'
import { checkLifetime } from '../public/keyPackage.ts'
import { checkProposal } from '../public/proposal.ts'
import { resolveProposals, sortProposals } from '../public/proposalList.ts'
import { committedContext, completeCommit, prepareCommit } from '../public/publicCommit.ts'
import { protectPublic } from '../treedem/publicMessage.ts'
import {
  confirmationTag,
  deriveEpochSecrets,
  deriveJoinerSecret,
  deriveMemberSecret,
} from '../treekem/keySchedule.ts'
import { derivePskSecret } from '../treekem/preSharedKeys.ts'
import { createPath } from '../treekem/updatePath.ts'
import { type Epoch, preSharedKeys } from './epoch.ts'
import { PendingCommit } from './pendingCommit.ts'
import { selectProposals } from './selectProposals.ts'

export interface CommitOptions {
  /** Proposals of our own, committed by value. */
  readonly proposals?: readonly Proposal[]
  readonly authenticatedData: Bytes
}

/**
 * RFC 9420 §12.4.1, always with a path: it covers every proposal of the epoch that can be covered,
 * and the given ones. The epoch itself does not change.
 * @throws MlsError, or what the policy throws
 */
export async function createCommit(
  epoch: Epoch,
  { proposals: byValue = [], authenticatedData }: CommitOptions,
): Promise<PendingCommit> {
  const { environment, crypto, leafIndex } = epoch
  const { groupContext, tree, interimTranscriptHash, proposals: cached } = epoch.public
  const sender: Sender = { senderType: SenderType.member, leafIndex }
  const entries: readonly ProposalOrRef[] = [
    ...selectProposals(cached, leafIndex).map((ref) => ({
      type: ProposalOrRefType.reference,
      reference: fromHex(ref),
    })),
    ...byValue.map((proposal) => ({ type: ProposalOrRefType.proposal, proposal })),
  ]
  await Promise.all(
    byValue.map((proposal) => {
      if (proposal.proposalType === ProposalType.add) {
        checkLifetime(proposal.keyPackage.leafNode, environment.clock.now(), 'sender')
      }
      return checkProposal(environment, crypto, { proposal, sender }, groupContext, tree)
    }),
  )
  const resolved = resolveProposals(entries, sender, cached)
  const sorted = sortProposals(resolved, leafIndex, tree)
  const prepared = prepareCommit(environment, groupContext, tree, sorted)
  const added = prepared.added.map((member) => member.leafIndex)

  const created = await createPath(crypto, {
    tree: prepared.treeBeforePath,
    leafIndex,
    added,
    makeLeaf: (encryptionKey, parentHash) =>
      signLeafNode(
        epoch.signer,
        {
          ...(tree.leafNode(leafIndex) as LeafNode),
          encryptionKey,
          leafNodeSource: LeafNodeSource.commit,
          parentHash,
        },
        { groupId: groupContext.groupId, leafIndex },
      ),
    contextOf: (merged) => ({ ...prepared.context, treeHash: merged.treeHash(crypto) }),
  })
  const effect = completeCommit(crypto, prepared, created.tree)

  const commit: Commit = { proposals: entries, path: created.path }
  const content: FramedContent = {
    groupId: groupContext.groupId,
    epoch: groupContext.epoch,
    sender,
    authenticatedData,
    contentType: ContentType.commit,
    commit,
  }
  const wireFormat = WireFormat.publicMessage
  const signature = await signWithLabel(
    epoch.signer,
    framedContentLabel,
    encode(FramedContentTbs, framedContentTbs(wireFormat, content, groupContext)),
  )

  const context = committedContext(crypto, effect, interimTranscriptHash, {
    wireFormat,
    content,
    signature,
  })
  const joinerSecret = deriveJoinerSecret(
    crypto,
    epoch.secrets.initSecret,
    created.commitSecret,
    context,
  )
  const pskSecret = derivePskSecret(crypto, preSharedKeys(environment, sorted.preSharedKeys))
  const memberSecret = deriveMemberSecret(crypto, joinerSecret, pskSecret)
  const secrets = deriveEpochSecrets(crypto, memberSecret, context)
  const tag = confirmationTag(crypto, secrets, context.confirmedTranscriptHash)

  const authenticated: AuthenticatedContent = {
    wireFormat,
    content,
    auth: { signature, confirmationTag: tag },
  }
  const publicMessage = protectPublic(
    crypto,
    epoch.secrets.membershipKey,
    authenticated,
    groupContext,
  )
  const groupInfo = await signGroupInfo(epoch.signer, {
    groupContext: context,
    extensions: [],
    confirmationTag: tag,
    signer: leafIndex,
  })
  const welcome =
    prepared.added.length === 0
      ? undefined
      : await sealWelcome(
          crypto,
          prepared.added.map((member) => ({
            keyPackage: member.keyPackage,
            pathSecret: created.pathSecretFor(member.leafIndex),
          })),
          joinerSecret,
          memberSecret,
          sorted.preSharedKeys,
          groupInfo,
        )
  for (const used of [joinerSecret, pskSecret, memberSecret, created.commitSecret]) used.wipe()
  created.wipeSecrets()

  const { mls10: version } = ProtocolVersion
  return new PendingCommit({
    message: encode(MlsMessage, { version, wireFormat, publicMessage }),
    groupInfo: encode(MlsMessage, { version, wireFormat: WireFormat.groupInfo, groupInfo }),
    welcome: welcome && encode(MlsMessage, { version, wireFormat: WireFormat.welcome, welcome }),
    effect,
    previous: epoch,
    next: {
      ...epoch,
      public: epoch.public.advance(effect, authenticated),
      secrets,
      privateTree: epoch.privateTree.updatedTo(created.tree, created.keys),
      confirmationTag: tag,
    },
  })
}
