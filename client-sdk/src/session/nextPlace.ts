import type { Bytes } from '@conclave/core/codec'
import type { Secret, SecretSuite } from '@conclave/core/crypto/secret'
import type { RequestOf } from '@conclave/core/delivery'
import {
  type KeyPackageBundle,
  restoreKeyPackage,
  storeKeyPackage,
  wipeKeyPackage,
} from '@conclave/core/mls/bootstrap'
import type { PublicGroup, ReInitProposal } from '@conclave/core/mls/public'
import { ProposalType } from '@conclave/core/wire'
import type { MeetingLeaf } from './identity.ts'
import type { KeptNext } from './keptNext.ts'

/** The next group as we have founded it, which the keyserver has taken or not. */
export interface FoundedNext {
  readonly request: Omit<RequestOf<'continue'>, 'groupId'>
  /** `PendingCommit.encodeEntered` */
  readonly group: Secret
}

/** What lets us into the group that is to continue ours (RFC 9420 §11.2). */
export interface NextPlace {
  /** Of the group that is continued. */
  readonly groupId: Bytes
  /** Of the one that continues it. */
  readonly nextId: Bytes
  readonly suite: SecretSuite
  readonly own: MeetingLeaf
  /** What we have offered. */
  readonly bundle: KeyPackageBundle
  readonly founded?: FoundedNext | undefined
}

/** The ReInit that a commit of this epoch would take, if there is one. */
export function proposedReInit({
  proposals,
}: Pick<PublicGroup, 'proposals'>): ReInitProposal | undefined {
  for (const { proposal } of proposals.values()) {
    if (proposal.proposalType === ProposalType.reInit) return proposal
  }
  return undefined
}

/** To be stored, and then wiped. */
export function keptNext({ groupId, nextId, suite, own, bundle, founded }: NextPlace): KeptNext {
  return {
    groupId,
    nextId,
    cipherSuite: suite.suite.id,
    signatureKey: own.signatureKey.copy(),
    keyPackage: storeKeyPackage(bundle),
    founded: founded && {
      groupInfo: founded.request.groupInfo,
      ratchetTree: founded.request.ratchetTree,
      welcome: founded.request.welcome ?? undefined,
      group: founded.group.copy(),
    },
  }
}

/**
 * @param own made of the kept signature key
 * @throws CodecError, MlsError, CryptoError where it cannot be read
 */
export function restoredNext(kept: KeptNext, suite: SecretSuite, own: MeetingLeaf): NextPlace {
  const { groupId, nextId, founded } = kept
  const bundle = restoreKeyPackage(suite, kept.keyPackage, own.signer)
  if (founded === undefined) return { groupId, nextId, suite, own, bundle }
  const { group, groupInfo, ratchetTree, welcome = null } = founded
  const request = { groupInfo, ratchetTree, welcome }
  return { groupId, nextId, suite, own, bundle, founded: { request, group: group.copy() } }
}

/** Wipes everything. */
export function forgetNext(next: NextPlace): void {
  wipeOffer(next)
  next.own.signatureKey.wipe()
}

/** Wipes all but our leaf's signature key, which may go with us. */
export function wipeOffer({ bundle, founded }: NextPlace): void {
  wipeKeyPackage(bundle)
  founded?.group.wipe()
}
