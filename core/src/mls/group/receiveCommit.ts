import type { Bytes } from '../../codec/bytes.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { AuthenticatedContent } from '../../wire/framing.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import { ContentType } from '../../wire/registry.ts'
import type { CommitEffect } from '../public/publicCommit.ts'
import {
  deriveEpochSecrets,
  deriveJoinerSecret,
  deriveMemberSecret,
  type EpochSecrets,
  wipeEpochSecrets,
} from '../treekem/keySchedule.ts'
import { derivePskSecret, type PreSharedKeyInput } from '../treekem/preSharedKeys.ts'
import { openPath, type PathOutcome, wipeKeys } from '../treekem/updatePath.ts'
import { checkConfirmationTag, type Epoch, preSharedKeys } from './epoch.ts'

/**
 * RFC 9420 §12.4.2, the half that needs secrets. The given epoch does not change.
 * @throws MlsError `commit-…`
 */
export async function receiveCommit(
  epoch: Epoch,
  effect: CommitEffect,
  authenticated: AuthenticatedContent,
): Promise<Epoch> {
  const psks = preSharedKeys(epoch.environment, effect.proposals.preSharedKeys)
  const outcome = await pathOutcome(epoch, effect, authenticated)
  try {
    const group = epoch.public.advance(effect, authenticated)
    const { confirmationTag } = authenticated.auth
    return {
      ...epoch,
      public: group,
      secrets: nextSecrets(epoch, outcome.commitSecret, psks, group.groupContext, confirmationTag),
      privateTree: epoch.privateTree.updatedTo(effect.tree, outcome.keys),
      confirmationTag: confirmationTag as NonNullable<typeof confirmationTag>,
    }
  } catch (error) {
    wipeKeys(outcome.keys)
    throw error
  } finally {
    outcome.commitSecret.wipe()
  }
}

/** @throws MlsError `commit-confirmation-tag-invalid` */
function nextSecrets(
  { crypto, secrets: { initSecret } }: Epoch,
  commitSecret: Secret,
  psks: readonly PreSharedKeyInput[],
  context: GroupContext,
  tag: Bytes | undefined,
): EpochSecrets {
  const joinerSecret = deriveJoinerSecret(crypto, initSecret, commitSecret, context)
  const pskSecret = derivePskSecret(crypto, psks)
  const memberSecret = deriveMemberSecret(crypto, joinerSecret, pskSecret)
  const secrets = deriveEpochSecrets(crypto, memberSecret, context)
  for (const used of [joinerSecret, pskSecret, memberSecret]) used.wipe()
  try {
    checkConfirmationTag(crypto, secrets, context.confirmedTranscriptHash, tag)
    return secrets
  } catch (error) {
    wipeEpochSecrets(secrets)
    throw error
  }
}

async function pathOutcome(
  { crypto, privateTree }: Epoch,
  effect: CommitEffect,
  { content }: AuthenticatedContent,
): Promise<PathOutcome> {
  const path = content.contentType === ContentType.commit ? content.commit.path : undefined
  if (path === undefined) {
    // §8: without a path the commit secret is the all-zero string.
    return { keys: new Map(), commitSecret: new Secret(new Uint8Array(crypto.suite.Nh)) }
  }
  return openPath(crypto, privateTree, {
    tree: effect.treeBeforePath,
    committer: effect.proposals.committer,
    path,
    added: effect.added.map(({ leafIndex }) => leafIndex),
    provisionalContext: effect.provisionalContext,
  })
}
