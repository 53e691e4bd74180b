import { type Bytes, emptyBytes, equalBytes } from '../../codec/bytes.ts'
import { CryptoError } from '../../crypto/cryptoError.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { AuthenticatedContent } from '../../wire/framing.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import { ContentType } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import type { CommitEffect } from '../public/publicCommit.ts'
import {
  deriveEpochSecrets,
  deriveExternalKey,
  deriveJoinerSecret,
  deriveMemberSecret,
  type EpochSecrets,
  externalInitContext,
  wipeEpochSecrets,
} from '../treekem/keySchedule.ts'
import { derivePskSecret, type PreSharedKeyInput } from '../treekem/preSharedKeys.ts'
import type { PrivateTree } from '../treekem/privateTree.ts'
import { openPath, type PathOutcome, wipeKeys } from '../treekem/updatePath.ts'
import { beginEpoch, checkConfirmationTag, type Epoch } from './epoch.ts'
import { findPreSharedKeys, preSharedKeysOf } from './preSharedKeys.ts'

/**
 * RFC 9420 §12.4.2, the half that needs secrets. The given epoch does not change.
 * @throws MlsError `commit-…`
 */
export async function receiveCommit(
  epoch: Epoch,
  effect: CommitEffect,
  authenticated: AuthenticatedContent,
): Promise<Epoch> {
  const { crypto, leafIndex } = epoch
  const psks = findPreSharedKeys(preSharedKeysOf(epoch), effect.proposals.preSharedKeys)
  const { privateTree, signer } = withOwnUpdate(epoch, effect)
  const initSecret = await initSecretOf(epoch, effect)
  const outcome = await pathOutcome(epoch, privateTree, effect, authenticated)
  try {
    const group = epoch.public.advance(effect, authenticated)
    const { confirmationTag } = authenticated.auth
    const { groupContext } = group
    const secrets = nextSecrets(crypto, initSecret, outcome.commitSecret, psks, groupContext)
    confirm(crypto, secrets, groupContext, confirmationTag)
    return {
      ...epoch,
      ...beginEpoch(crypto, secrets, effect.tree.leafCount, leafIndex),
      public: group,
      signer,
      privateTree: privateTree.updatedTo(effect.tree, outcome.keys),
      confirmationTag: confirmationTag as NonNullable<typeof confirmationTag>,
      updates: [],
    }
  } catch (error) {
    wipeKeys(outcome.keys)
    throw error
  } finally {
    outcome.commitSecret.wipe()
    if (initSecret !== epoch.secrets.initSecret) initSecret.wipe()
  }
}

/** An Update of ours has taken effect before the path, which may be sealed to its key (§12.4.2). */
function withOwnUpdate(
  { privateTree, leafIndex, signer, updates }: Epoch,
  { proposals, treeBeforePath }: CommitEffect,
): Pick<Epoch, 'privateTree' | 'signer'> {
  const entry = proposals.updates.find((update) => update.leafIndex === leafIndex)
  if (entry === undefined) return { privateTree, signer }
  const { encryptionKey } = entry.leafNode
  const own = updates.find(({ key }) => equalBytes(key.publicKey, encryptionKey))
  if (own === undefined) {
    throw new MlsError('commit-path-undecryptable', 'an Update of ours that we did not keep')
  }
  const updated = privateTree.updatedTo(treeBeforePath, new Map([[0, own.key]]))
  return { privateTree: updated, signer: own.signer }
}

/** §8.3: a newcomer's commit brings its own. */
async function initSecretOf(
  { crypto, secrets }: Epoch,
  { proposals: { externalInit } }: CommitEffect,
): Promise<Secret> {
  if (externalInit === undefined) return secrets.initSecret
  const externalKey = await deriveExternalKey(crypto, secrets)
  try {
    const { Nh } = crypto.suite
    return await crypto.hpkeOpenExport(
      externalKey,
      externalInit,
      emptyBytes,
      externalInitContext,
      Nh,
    )
  } catch (cause) {
    if (!(cause instanceof CryptoError)) throw cause
    throw new MlsError('external-commit-init-invalid', 'the kem_output is not usable', { cause })
  } finally {
    externalKey.privateKey.wipe()
  }
}

function nextSecrets(
  crypto: SecretSuite,
  initSecret: Secret,
  commitSecret: Secret,
  psks: readonly PreSharedKeyInput[],
  context: GroupContext,
): EpochSecrets {
  const joinerSecret = deriveJoinerSecret(crypto, initSecret, commitSecret, context)
  const pskSecret = derivePskSecret(crypto, psks)
  const memberSecret = deriveMemberSecret(crypto, joinerSecret, pskSecret)
  const secrets = deriveEpochSecrets(crypto, memberSecret, context)
  for (const used of [joinerSecret, pskSecret, memberSecret]) used.wipe()
  return secrets
}

/** @throws MlsError `commit-confirmation-tag-invalid`, having wiped `secrets` */
function confirm(
  crypto: SecretSuite,
  secrets: EpochSecrets,
  { confirmedTranscriptHash }: GroupContext,
  tag: Bytes | undefined,
): void {
  try {
    checkConfirmationTag(crypto, secrets, confirmedTranscriptHash, tag)
  } catch (error) {
    wipeEpochSecrets(secrets)
    throw error
  }
}

async function pathOutcome(
  { crypto }: Epoch,
  privateTree: PrivateTree,
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
