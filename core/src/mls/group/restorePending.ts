import { type Bytes, equalBytes } from '../../codec/bytes.ts'
import type { Signer } from '../../crypto/secret/sign.ts'
import type { AuthenticatedContent } from '../../wire/framing.ts'
import { SenderType, WireFormat } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { authenticated } from '../public/publicGroup.ts'
import { wipeEpochSecrets } from '../treekem/keySchedule.ts'
import { wipeKeys } from '../treekem/updatePath.ts'
import { checkConfirmationTag, type Epoch } from './epoch.ts'
import { wipeMessages } from './history.ts'
import { decodeMessage } from './incoming.ts'
import { PendingCommit } from './pendingCommit.ts'
import { decodePending, type PendingCommitContent } from './pendingState.ts'
import { restoreEpochSecrets, wellFormed } from './secretsState.ts'

/**
 * The commit that was stored in `epoch`, judged as everyone else judges it. The epoch itself does
 * not change.
 * @throws MlsError `state-…`, `pending-commit-mismatch`, or what the policy throws
 */
export async function restorePendingCommit(
  epoch: Epoch,
  state: Bytes,
  signer: Signer,
): Promise<PendingCommit> {
  const { environment, crypto, leafIndex, history, privateTree, public: group } = epoch
  const stored = decodePending(crypto, state)
  const { keys, ...restored } = restoreEpochSecrets(crypto, stored.secrets)
  try {
    const commit = commitOf(epoch, stored)
    await group.verifyFraming(commit)
    const effect = await group.evaluateCommit(commit)
    const next = group.advance(effect, commit)
    const { confirmedTranscriptHash } = next.groupContext
    const tag = commit.auth.confirmationTag
    checkConfirmationTag(crypto, restored.secrets, confirmedTranscriptHash, tag)
    const signatureKey = effect.tree.leafNode(leafIndex)?.signatureKey
    if (signatureKey === undefined || !equalBytes(signatureKey, signer.publicKey)) {
      throw new MlsError('state-signer-mismatch', 'the commit gives our leaf another signature key')
    }
    const { message, groupInfo, welcome } = stored
    return new PendingCommit({
      message,
      groupInfo,
      welcome,
      authenticated: commit,
      effect,
      previous: epoch,
      next: {
        environment,
        crypto,
        history,
        signer,
        leafIndex,
        ...restored,
        public: next,
        privateTree: privateTree.updatedTo(effect.tree, keys),
        confirmationTag: tag as NonNullable<typeof tag>,
        updates: [],
      },
    })
  } catch (error) {
    wipeEpochSecrets(restored.secrets)
    wipeMessages(restored.messages)
    restored.safeExporter.wipe()
    wipeKeys(keys)
    throw error
  }
}

/** @throws MlsError `state-malformed`, `pending-commit-mismatch` */
function commitOf(
  { leafIndex, public: { groupContext } }: Epoch,
  { message, content }: PendingCommitContent,
): AuthenticatedContent {
  const commit = content ?? publicCommit(message)
  const { groupId, epoch, sender } = commit.content
  if (
    !equalBytes(groupId, groupContext.groupId) ||
    epoch !== groupContext.epoch ||
    sender.senderType !== SenderType.member ||
    sender.leafIndex !== leafIndex
  ) {
    throw new MlsError('pending-commit-mismatch', 'the commit is not of this member and epoch')
  }
  return commit
}

/** @throws MlsError `state-malformed` */
function publicCommit(message: Bytes): AuthenticatedContent {
  const decoded = wellFormed(() => decodeMessage(message))
  if (decoded.wireFormat !== WireFormat.publicMessage) {
    throw new MlsError('state-malformed', 'a PrivateMessage was stored without its content')
  }
  return authenticated(decoded.publicMessage)
}
