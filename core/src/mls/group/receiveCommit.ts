import { Secret } from '../../crypto/secret/secret.ts'
import type { AuthenticatedContent } from '../../wire/framing.ts'
import { ContentType } from '../../wire/registry.ts'
import type { CommitEffect } from '../public/publicCommit.ts'
import {
  deriveEpochSecrets,
  deriveJoinerSecret,
  deriveMemberSecret,
  wipeEpochSecrets,
} from '../treekem/keySchedule.ts'
import { derivePskSecret } from '../treekem/preSharedKeys.ts'
import { openPath, type PathOutcome } from '../treekem/updatePath.ts'
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
  const { environment, crypto } = epoch
  const psks = preSharedKeys(environment, effect.proposals.preSharedKeys)
  const outcome = await pathOutcome(epoch, effect, authenticated)
  const group = epoch.public.advance(effect, authenticated)
  const { groupContext } = group
  const joinerSecret = deriveJoinerSecret(
    crypto,
    epoch.secrets.initSecret,
    outcome.commitSecret,
    groupContext,
  )
  const pskSecret = derivePskSecret(crypto, psks)
  const memberSecret = deriveMemberSecret(crypto, joinerSecret, pskSecret)
  const secrets = deriveEpochSecrets(crypto, memberSecret, groupContext)
  for (const used of [outcome.commitSecret, joinerSecret, pskSecret, memberSecret]) used.wipe()
  const { confirmationTag } = authenticated.auth
  try {
    checkConfirmationTag(crypto, secrets, groupContext.confirmedTranscriptHash, confirmationTag)
  } catch (error) {
    wipeEpochSecrets(secrets)
    for (const { privateKey } of outcome.keys.values()) privateKey.wipe()
    throw error
  }
  return {
    ...epoch,
    public: group,
    secrets,
    privateTree: epoch.privateTree.updatedTo(effect.tree, outcome.keys),
    confirmationTag: confirmationTag as NonNullable<typeof confirmationTag>,
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
