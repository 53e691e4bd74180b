import type { Bytes } from '@conclave/core/codec'
import {
  commitRateMs,
  joiningMs,
  snapshotCommits,
  treeMs,
  usedRefMs,
  welcomeMs,
} from '../limits.ts'
import type { CommitAppend } from '../store/store.ts'
import type { CommitUpload, FollowedGroup, VerifiedCommit } from './followedGroup.ts'
import type { GroupLogOptions } from './groupLogOptions.ts'
import { offersWanted } from './offer.ts'

/**
 * What the store has to take in with a commit.
 * @param followed the group before it
 */
export function commitAppend(
  followed: FollowedGroup,
  upload: CommitUpload & { readonly message: Bytes },
  verified: VerifiedCommit,
  { graceMs, commitsPerLeaf }: GroupLogOptions,
): CommitAppend {
  // Whoever follows the log judges an entry at the time that it was appended at.
  const { publicGroup, ledger, now } = verified
  const due = followed.commitsSinceSnapshot + 1 >= snapshotCommits
  return {
    epoch: followed.epoch,
    after: followed.head,
    message: upload.message,
    groupInfo: upload.groupInfo,
    welcome: upload.welcome,
    parts: verified.welcomeParts,
    committer: verified.committer,
    rate: { commits: commitsPerLeaf, perMs: commitRateMs },
    added: verified.added,
    removed: verified.removed,
    offers:
      publicGroup.reInit === undefined
        ? null
        : offersWanted(followed.publicGroup, publicGroup.reInit, now),
    snapshot:
      upload.welcome === null && !due
        ? null
        : {
            ratchetTree: publicGroup.tree.encoded(),
            treeHash: publicGroup.groupContext.treeHash,
            overdue: [...ledger.overdue],
          },
    now,
    dueAt: now + graceMs,
    joinedBy: now + Math.max(graceMs, joiningMs),
    treeUntil: now + treeMs,
    welcomeUntil: now + welcomeMs,
    refUntil: now + usedRefMs,
  }
}
