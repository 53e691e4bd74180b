import type { Bytes } from '@conclave/core/codec'
import { deviceOf } from '@conclave/core/meeting'
import { MlsError, type PublicGroup } from '@conclave/core/mls/public'
import { type LeafIndex, LeafNodeSource } from '@conclave/core/wire'
import { foundingMarginMs, frozenMs } from '../limits.ts'
import type { Offer, OffersWanted } from '../store/store.ts'
import { checkKeyPackage } from './keyPackages.ts'
import { readKeyPackage } from './messages.ts'
import type { NextGroup } from './nextGroup.ts'
import { OrderingError } from './orderingError.ts'

/**
 * What must be there for `next` to be founded: an offer of everyone, the committer and the founder
 * too, since any of them may vanish.
 * @param group the group that is to be continued, or that has been reinitialised
 */
export function offersWanted(
  group: PublicGroup,
  { cipherSuite }: NextGroup,
  now: number,
): OffersWanted {
  const leaves = group.tree.leaves().map(({ firstLeaf }) => firstLeaf)
  const remainingMs = group.reInit === undefined ? frozenMs : 0
  return { leaves, cipherSuite, validUntil: now + remainingMs + foundingMarginMs }
}

/**
 * The offer that a KeyPackage is for a leaf: of the same device and person, with keys that this
 * group has not seen.
 * @throws CodecError, OrderingError, MlsError or MeetingError
 */
export async function verifyOffer(
  bytes: Bytes,
  group: PublicGroup,
  next: NextGroup,
  leaf: LeafIndex,
  now: number,
): Promise<Offer> {
  const keyPackage = readKeyPackage(bytes)
  const { leafNode, cipherSuite } = keyPackage
  const { environment, groupContext, tree } = group
  if (cipherSuite !== next.cipherSuite) {
    throw new OrderingError(
      'offer-of-another-suite',
      `the next group has suite ${next.cipherSuite}`,
    )
  }
  const crypto = environment.crypto.publicSuite(cipherSuite)
  if (crypto === undefined)
    throw new MlsError('suite-unsupported', `no cipher suite ${cipherSuite}`)
  const { groupId, extensions } = next
  const context = { ...groupContext, groupId, extensions, cipherSuite }
  await checkKeyPackage(keyPackage, { crypto, policy: environment.policy, context }, now)
  const member = tree.leafNode(leaf)
  if (member === undefined || deviceOf(member) !== deviceOf(leafNode)) {
    throw new OrderingError('offer-of-another-device', 'a member stays who it is')
  }
  const keys = [leafNode.signatureKey, leafNode.encryptionKey]
  if (tree.keys.memberWithSignatureKey(leafNode.signatureKey) !== undefined) {
    throw new OrderingError('offer-reuses-key', 'no signature key serves two groups')
  }
  const until =
    leafNode.leafNodeSource === LeafNodeSource.keyPackage
      ? Number(leafNode.lifetime.notAfter) * 1000
      : now
  if (until < offersWanted(group, next, now).validUntil) {
    throw new OrderingError('offer-expires-too-soon', 'it has to last until the group is founded')
  }
  return { leaf, keyPackage: bytes, cipherSuite, until, keys }
}
