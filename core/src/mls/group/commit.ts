import { type Bytes, fromHex } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'

import { ConclaveError } from '../../error.ts'
import type { Commit, ProposalOrRef } from '../../wire/commit.ts'
import {
  type AuthenticatedContent,
  type FramedContent,
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
import { checkLifetime } from '../public/keyPackage.ts'
import { checkProposal } from '../public/proposal.ts'
import { resolveProposals } from '../public/proposalList.ts'
import { sortProposals } from '../public/proposalRules.ts'
import {
  type CommitEffect,
  checkMembersAfter,
  committedContext,
  effectOf,
  prepareCommit,
} from '../public/publicCommit.ts'
import { protectPublic, signPublic } from '../treedem/publicMessage.ts'
import {
  confirmationTag,
  deriveEpochSecrets,
  deriveJoinerSecret,
  deriveMemberSecret,
  wipeEpochSecrets,
} from '../treekem/keySchedule.ts'
import { derivePskSecret, type PreSharedKeyInput } from '../treekem/preSharedKeys.ts'
import { type CreatedPath, createPath, wipeKeys } from '../treekem/updatePath.ts'
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
  { proposals, authenticatedData }: CommitOptions,
): Promise<PendingCommit> {
  const { crypto, leafIndex } = epoch
  const { groupContext, tree } = epoch.public
  const { signatureKey, credential, capabilities, extensions } = tree.leafNode(
    leafIndex,
  ) as LeafNode
  const { entries, prepared, psks } = await chooseProposals(epoch, proposals ?? [])
  const created = await createPath(crypto, {
    tree: prepared.treeBeforePath,
    leafIndex,
    added: prepared.added.map((member) => member.leafIndex),
    makeLeaf: (encryptionKey, parentHash) =>
      signLeafNode(
        epoch.signer,
        {
          signatureKey,
          credential,
          capabilities,
          extensions,
          encryptionKey,
          leafNodeSource: LeafNodeSource.commit,
          parentHash,
        },
        { groupId: groupContext.groupId, leafIndex },
      ),
    contextOf: (merged) => ({ ...prepared.context, treeHash: merged.treeHash(crypto) }),
  })
  try {
    const effect = effectOf(crypto, prepared, created.tree)
    const commit: Commit = { proposals: entries, path: created.path }
    return await sealCommit(epoch, { commit, authenticatedData, effect, created, psks })
  } catch (error) {
    wipeKeys(created.keys)
    throw error
  } finally {
    created.wipeSecrets()
  }
}

/** The proposals of a commit of ours, judged and applied. */
async function chooseProposals(epoch: Epoch, byValue: readonly Proposal[]) {
  const { environment, crypto, leafIndex } = epoch
  const { groupContext, tree, proposals: cached } = epoch.public
  const sender: Sender = { senderType: SenderType.member, leafIndex }
  await Promise.all(
    byValue.map(async (proposal) => {
      if (proposal.proposalType === ProposalType.add) {
        checkLifetime(proposal.keyPackage.leafNode, environment.clock.now(), 'sender')
      }
      await checkProposal(environment, crypto, { proposal, sender }, groupContext, tree)
    }),
  )
  const prepare = (refs: readonly string[]) => {
    const entries: readonly ProposalOrRef[] = [
      ...refs.map((ref) => ({ type: ProposalOrRefType.reference, reference: fromHex(ref) })),
      ...byValue.map((proposal) => ({ type: ProposalOrRefType.proposal, proposal })),
    ]
    const sorted = sortProposals(
      resolveProposals(entries, sender, cached),
      sender,
      tree,
      environment.policy,
    )
    const prepared = prepareCommit(environment, groupContext, tree, sorted)
    checkMembersAfter(prepared, prepared.treeBeforePath)
    return { entries, prepared, psks: preSharedKeys(environment, sorted.preSharedKeys) }
  }
  return prepare(selectProposals(cached, leafIndex, (refs) => succeeds(() => prepare(refs))))
}

interface UnsealedCommit {
  readonly commit: Commit
  readonly authenticatedData: Bytes
  readonly effect: CommitEffect
  readonly created: CreatedPath
  readonly psks: readonly PreSharedKeyInput[]
}

/** Signs the commit and derives the epoch that it begins, with the messages that lead there. */
async function sealCommit(
  epoch: Epoch,
  { commit, authenticatedData, effect, created, psks }: UnsealedCommit,
): Promise<PendingCommit> {
  const { crypto, leafIndex } = epoch
  const { groupContext, interimTranscriptHash } = epoch.public
  const content: FramedContent = {
    groupId: groupContext.groupId,
    epoch: groupContext.epoch,
    sender: { senderType: SenderType.member, leafIndex },
    authenticatedData,
    contentType: ContentType.commit,
    commit,
  }
  const wireFormat = WireFormat.publicMessage
  const signature = await signPublic(epoch.signer, content, groupContext)
  const signed = { wireFormat, content, signature }
  const context = committedContext(crypto, effect, interimTranscriptHash, signed)

  const { initSecret, membershipKey } = epoch.secrets
  const joinerSecret = deriveJoinerSecret(crypto, initSecret, created.commitSecret, context)
  const pskSecret = derivePskSecret(crypto, psks)
  const memberSecret = deriveMemberSecret(crypto, joinerSecret, pskSecret)
  const secrets = deriveEpochSecrets(crypto, memberSecret, context)
  try {
    const tag = confirmationTag(crypto, secrets, context.confirmedTranscriptHash)
    const auth = { signature, confirmationTag: tag }
    const authenticated: AuthenticatedContent = { wireFormat, content, auth }
    const publicMessage = protectPublic(crypto, membershipKey, authenticated, groupContext)
    const groupInfo = await signGroupInfo(epoch.signer, {
      groupContext: context,
      extensions: [],
      confirmationTag: tag,
      signer: leafIndex,
    })
    const newcomers = effect.added.map((member) => ({
      keyPackage: member.keyPackage,
      pathSecret: created.pathSecretFor(member.leafIndex),
    }))
    const { preSharedKeys: pskIds } = effect.proposals
    const welcome =
      newcomers.length === 0
        ? undefined
        : await sealWelcome(crypto, newcomers, joinerSecret, memberSecret, pskIds, groupInfo)

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
  } catch (error) {
    wipeEpochSecrets(secrets)
    throw error
  } finally {
    for (const used of [joinerSecret, pskSecret, memberSecret]) used.wipe()
  }
}

function succeeds(attempt: () => unknown): boolean {
  try {
    attempt()
    return true
  } catch (error) {
    if (error instanceof ConclaveError) return false
    throw error
  }
}
