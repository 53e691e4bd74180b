import { type Bytes, encode, equalBytes, toHex } from '@conclave/core/codec'
import { makeKeyPackageRef } from '@conclave/core/crypto/public'
import { encodeRemovalEnvelope, readRemovalEnvelope } from '@conclave/core/delivery'
import { deviceOf } from '@conclave/core/meeting'
import { checkWelcome } from '@conclave/core/mls/public'
import { PublicTree } from '@conclave/core/mls/treesync'
import {
  Extensions,
  type GroupInfo,
  type KeyPackage,
  type LeafIndex,
  LeafNode,
  LeafNodeSource,
} from '@conclave/core/wire'
import { joiningMs, treeMs, usedRefMs, welcomeMs } from '../limits.ts'
import type { GroupContinuation, WelcomePart } from '../store/store.ts'
import { FollowedGroup } from './followedGroup.ts'
import type { GroupLogOptions } from './groupLogOptions.ts'
import { readGroupInfo, readKeyPackage, readRatchetTree, readWelcome } from './messages.ts'
import type { NextGroup } from './nextGroup.ts'
import { OrderingError } from './orderingError.ts'
import { welcomeParts } from './welcomeParts.ts'

/** What a founder uploads. */
export interface ContinuationUpload {
  readonly groupInfo: Bytes
  readonly ratchetTree: Bytes
  readonly welcome: Bytes | null
}

export interface VerifiedContinuation {
  readonly step: GroupContinuation
  /** The next group at its beginning. */
  readonly followed: FollowedGroup
}

const founderLeaf = 0 as LeafIndex
/** Who asked has signed that for the group before, so that nobody could check it in the next. */
function carried(request: Bytes | undefined): Bytes {
  const { reason = 'removed' } = (request && readRemovalEnvelope(request)) ?? {}
  return encodeRemovalEnvelope({ reason })
}

/**
 * The group by which a member continues one that has been reinitialised, as far as it shows without
 * secrets: that it is the one that was agreed upon, and that everyone enters it who was there, as
 * offered, and nobody else.
 * @param offered the KeyPackages of all members of the group before, by leaf
 * @param requests what asked for the removal of those of them who are going
 * @throws CodecError, OrderingError, MlsError or MeetingError
 */
export async function verifyContinuation(
  before: FollowedGroup,
  agreed: NextGroup,
  founder: LeafIndex,
  offered: ReadonlyMap<LeafIndex, Bytes>,
  upload: ContinuationUpload,
  requests: ReadonlyMap<number, Bytes>,
  options: GroupLogOptions,
): Promise<VerifiedContinuation> {
  const { crypto, policy, graceMs } = options
  const now = options.now()
  const groupInfo = readGroupInfo(upload.groupInfo)
  checkAgreed(groupInfo, agreed)
  const tree = PublicTree.fromRatchetTree(readRatchetTree(upload.ratchetTree))
  // What takes time for each leaf comes when the leaves are those that have been checked before.
  const keyPackages = new Map([...offered].map(([leaf, bytes]) => [leaf, readKeyPackage(bytes)]))
  keyPackages.delete(founder)
  const places = placesOf(tree, keyPackages)
  checkFounder(before, tree, founder)
  const { treeHash, groupId, epoch } = groupInfo.groupContext
  const { groupInfo: info, ratchetTree } = upload
  const snapshot = { seq: 0, groupInfo: info, ratchetTree, treeHash, overdue: [] }
  const followed = await FollowedGroup.open(crypto, policy, snapshot, now)
  const parts = partsOf(followed, keyPackages, places, upload.welcome)
  const leaves = [[founder, founderLeaf] as const, ...places].map(([was, is]) => ({
    before: was,
    after: is,
    envelope: carried(requests.get(was)),
  }))
  return {
    followed,
    step: {
      epoch: before.epoch,
      head: before.head,
      groupId,
      firstEpoch: Number(epoch),
      snapshot,
      leaves,
      parts,
      now,
      dueAt: now + graceMs,
      joinedBy: now + Math.max(graceMs, joiningMs),
      treeUntil: now + treeMs,
      welcomeUntil: now + welcomeMs,
      refUntil: now + usedRefMs,
      pastUntil: now + welcomeMs,
    },
  }
}

/** @throws OrderingError `continuation-differs` */
function checkAgreed({ groupContext, signer }: GroupInfo, agreed: NextGroup): void {
  const { groupId, version, cipherSuite, extensions, epoch } = groupContext
  const same =
    epoch === 1n &&
    version === agreed.version &&
    cipherSuite === agreed.cipherSuite &&
    equalBytes(groupId, agreed.groupId) &&
    equalBytes(encode(Extensions, extensions), encode(Extensions, agreed.extensions))
  if (!same || signer !== founderLeaf) {
    throw new OrderingError('continuation-differs', 'not the group that was agreed upon')
  }
}

/**
 * Where each of those is who have offered.
 * @throws OrderingError `continuation-members-differ`
 */
function placesOf(
  tree: PublicTree,
  keyPackages: ReadonlyMap<LeafIndex, KeyPackage>,
): ReadonlyMap<LeafIndex, LeafIndex> {
  const offeredBy = new Map(
    [...keyPackages].map(([leaf, { leafNode }]) => [toHex(encode(LeafNode, leafNode)), leaf]),
  )
  const places = new Map<LeafIndex, LeafIndex>()
  for (const { leafIndex, leafNode } of tree.members()) {
    if (leafIndex === founderLeaf) continue
    const was = offeredBy.get(toHex(encode(LeafNode, leafNode)))
    if (was === undefined) throw differ()
    places.set(was, leafIndex)
  }
  // A leaf that is there twice has one place.
  if (places.size !== keyPackages.size || tree.memberCount !== keyPackages.size + 1) throw differ()
  return places
}

/** @throws OrderingError `continuation-members-differ` */
function checkFounder({ publicGroup }: FollowedGroup, tree: PublicTree, founder: LeafIndex): void {
  const was = publicGroup.tree.leafNode(founder)
  const is = tree.leafNode(founderLeaf)
  const isFresh =
    is !== undefined &&
    is.leafNodeSource === LeafNodeSource.commit &&
    publicGroup.tree.keys.memberWithSignatureKey(is.signatureKey) === undefined
  if (was === undefined || !isFresh || deviceOf(was) !== deviceOf(is)) throw differ()
}

function differ(): OrderingError {
  return new OrderingError('continuation-members-differ', 'not the members of the group before')
}

/**
 * A Welcome for each of the others alone.
 * @throws CodecError, MlsError `welcome-…`
 */
function partsOf(
  { publicGroup: { crypto } }: FollowedGroup,
  keyPackages: ReadonlyMap<LeafIndex, KeyPackage>,
  places: ReadonlyMap<LeafIndex, LeafIndex>,
  encoded: Bytes | null,
): readonly WelcomePart[] {
  const added = [...places].flatMap(([was, leafIndex]) => {
    const keyPackage = keyPackages.get(was)
    return keyPackage === undefined ? [] : [{ leafIndex, keyPackage }]
  })
  const welcome = encoded === null ? undefined : readWelcome(encoded)
  checkWelcome(crypto, welcome, added)
  if (welcome === undefined) return []
  const welcomed = added.map(({ leafIndex, keyPackage }) => ({
    leafIndex,
    keyPackageRef: makeKeyPackageRef(crypto, keyPackage),
  }))
  return welcomeParts(welcome, welcomed)
}
