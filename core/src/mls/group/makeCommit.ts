import type { Bytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { Signer } from '../../crypto/secret/sign.ts'
import type { Commit, ProposalOrRef } from '../../wire/commit.ts'
import {
  type AuthenticatedContent,
  type FramedContent,
  MlsMessage,
  type Sender,
} from '../../wire/framing.ts'
import type { LeafIndex, LeafNode } from '../../wire/ratchetTree.ts'
import {
  ContentType,
  LeafNodeSource,
  ProtocolVersion,
  SenderType,
  WireFormat,
} from '../../wire/registry.ts'
import { leafContent, type OwnLeaf, signLeafNode } from '../bootstrap/keyPackageBundle.ts'
import { sealWelcome } from '../bootstrap/welcome.ts'
import { checkClientsOnce } from '../public/proposalRules.ts'
import {
  type CommitEffect,
  checkMembersAfter,
  committedContext,
  effectOf,
  type PreparedCommit,
} from '../public/publicCommit.ts'
import type { PublicGroup } from '../public/publicGroup.ts'
import { signFramedContent } from '../treedem/signFramedContent.ts'
import {
  confirmationTag,
  deriveEpochSecrets,
  deriveJoinerSecret,
  deriveMemberSecret,
  wipeEpochSecrets,
} from '../treekem/keySchedule.ts'
import { derivePskSecret, type PreSharedKeyInput } from '../treekem/preSharedKeys.ts'
import { type CreatedPath, createPath, wipeKeys } from '../treekem/updatePath.ts'
import { beginEpoch, type Epoch, type GroupEnvironment } from './epoch.ts'
import { checkAuthenticatedData, type HandshakeFormat } from './framing.ts'
import { describeEpoch, type GroupInfoOptions } from './groupInfo.ts'

/** Where a commit starts from, for a member and for a newcomer alike. */
export interface Committer
  extends Pick<Epoch, 'environment' | 'crypto' | 'privateTree' | 'history'> {
  readonly environment: GroupEnvironment
  readonly group: PublicGroup
  readonly sender: Sender
  readonly leafIndex: LeafIndex
  /** Signs the commit: with the key of the leaf so far, where there is one. */
  readonly signer: Signer
  readonly initSecret: Secret
  readonly wireFormat: HandshakeFormat
  protect(authenticated: AuthenticatedContent): Promise<Bytes>
}

export interface CommitPlan {
  readonly entries: readonly ProposalOrRef[]
  readonly prepared: PreparedCommit
  readonly psks: readonly PreSharedKeyInput[]
  readonly authenticatedData: Bytes
  /** The committer's leaf after the commit; undefined for a commit without a path. */
  readonly leaf: OwnLeaf | undefined
  /** Whether the policy has yet to judge that leaf: it is new, or says something new. */
  readonly leafIsNew: boolean
  readonly groupInfo: GroupInfoOptions | undefined
}

export interface MadeCommit {
  /** MLSMessages. */
  readonly message: Bytes
  readonly groupInfo: Bytes
  readonly welcome: Bytes | undefined
  /** The commit in `message`, which nobody can open again where that is a PrivateMessage of ours. */
  readonly authenticated: AuthenticatedContent
  readonly effect: CommitEffect
  readonly next: Epoch
}

/**
 * RFC 9420 §12.4.1 from the chosen proposals on: the path, the signed commit, and the epoch that it
 * begins with the messages that lead there.
 * @throws MlsError, or what the policy throws
 */
export async function makeCommit(committer: Committer, plan: CommitPlan): Promise<MadeCommit> {
  const { crypto } = committer
  const { prepared, leaf } = plan
  checkAuthenticatedData(committer.group.groupContext, plan)
  const created = leaf && (await layPath(committer, prepared, leaf))
  const commitSecret = created?.commitSecret ?? new Secret(new Uint8Array(crypto.suite.Nh))
  try {
    const tree = created?.tree ?? prepared.treeBeforePath
    checkMembersAfter(prepared, tree)
    if (created !== undefined && plan.leafIsNew) {
      await judgeLeaf(committer, prepared, created.path.leafNode)
    }
    const effect = effectOf(crypto, prepared, tree)
    return await sealCommit(committer, plan, effect, created, commitSecret)
  } catch (error) {
    if (created !== undefined) wipeKeys(created.keys)
    throw error
  } finally {
    created?.wipeSecrets()
    commitSecret.wipe()
  }
}

/** What everyone else will ask of a leaf that they have not met before. */
async function judgeLeaf(
  { crypto, group, sender, environment: { policy } }: Committer,
  { proposals, context, replaced }: PreparedCommit,
  leafNode: LeafNode,
): Promise<void> {
  if (sender.senderType === SenderType.newMemberCommit) {
    checkClientsOnce([leafNode], proposals.removes, group.tree, policy)
  }
  await policy.checkLeaf(crypto, leafNode, context, replaced, 'sender')
}

function layPath(
  { crypto, leafIndex, group }: Committer,
  { treeBeforePath, added, context }: PreparedCommit,
  leaf: OwnLeaf,
): Promise<CreatedPath> {
  const { groupId } = group.groupContext
  return createPath(crypto, {
    tree: treeBeforePath,
    leafIndex,
    added: added.map((member) => member.leafIndex),
    makeLeaf: (encryptionKey, parentHash) =>
      signLeafNode(
        leaf.signer,
        {
          ...leafContent(leaf, encryptionKey),
          leafNodeSource: LeafNodeSource.commit,
          parentHash,
        },
        { groupId, leafIndex },
      ),
    contextOf: (merged) => ({ ...context, treeHash: merged.treeHash(crypto) }),
  })
}

async function sealCommit(
  committer: Committer,
  plan: CommitPlan,
  effect: CommitEffect,
  created: CreatedPath | undefined,
  commitSecret: Secret,
): Promise<MadeCommit> {
  const { crypto, group, wireFormat, initSecret, leafIndex } = committer
  const { groupContext, interimTranscriptHash } = group
  const commit: Commit = { proposals: plan.entries, path: created?.path }
  const content: FramedContent = {
    groupId: groupContext.groupId,
    epoch: groupContext.epoch,
    sender: committer.sender,
    authenticatedData: plan.authenticatedData,
    contentType: ContentType.commit,
    commit,
  }
  const signature = await signFramedContent(committer.signer, wireFormat, content, groupContext)
  const signed = { wireFormat, content, signature }
  const context = committedContext(crypto, effect, interimTranscriptHash, signed)

  const joinerSecret = deriveJoinerSecret(crypto, initSecret, commitSecret, context)
  const pskSecret = derivePskSecret(crypto, plan.psks)
  const memberSecret = deriveMemberSecret(crypto, joinerSecret, pskSecret)
  const secrets = deriveEpochSecrets(crypto, memberSecret, context)
  const signer = plan.leaf?.signer ?? committer.signer
  try {
    const tag = confirmationTag(crypto, secrets, context.confirmedTranscriptHash)
    const auth = { signature, confirmationTag: tag }
    const authenticated: AuthenticatedContent = { wireFormat, content, auth }
    const message = await committer.protect(authenticated)
    const groupInfo = await describeEpoch(
      crypto,
      signer,
      { groupContext: context, confirmationTag: tag, signer: leafIndex },
      effect.tree,
      secrets,
      plan.groupInfo,
    )
    const { preSharedKeys: pskIds } = effect.proposals
    const newcomers = effect.added.map((member) => ({
      keyPackage: member.keyPackage,
      pathSecret: created?.pathSecretFor(member.leafIndex),
    }))
    const welcome =
      newcomers.length === 0
        ? undefined
        : await sealWelcome(crypto, newcomers, joinerSecret, memberSecret, pskIds, groupInfo)

    const { mls10: version } = ProtocolVersion
    const { environment, history } = committer
    return {
      message,
      authenticated,
      groupInfo: encode(MlsMessage, { version, wireFormat: WireFormat.groupInfo, groupInfo }),
      welcome: welcome && encode(MlsMessage, { version, wireFormat: WireFormat.welcome, welcome }),
      effect,
      next: {
        environment,
        crypto,
        history,
        signer,
        leafIndex,
        ...beginEpoch(crypto, secrets, effect.tree.leafCount, leafIndex),
        public: group.advance(effect, authenticated),
        privateTree: committer.privateTree.updatedTo(effect.tree, created?.keys ?? new Map()),
        confirmationTag: tag,
        updates: [],
      },
    }
  } catch (error) {
    wipeEpochSecrets(secrets)
    throw error
  } finally {
    for (const used of [joinerSecret, pskSecret, memberSecret]) used.wipe()
  }
}
