import type { Bytes } from '@conclave/core/codec'
import { makeKeyPackageRef } from '@conclave/core/crypto/public'
import {
  checkLifetime,
  type PublicGroup,
  requiredCapabilities,
  verifyKeyPackage,
} from '@conclave/core/mls/public'
import { checkLeafNode } from '@conclave/core/mls/treesync'
import { type KeyPackage, LeafNodeSource } from '@conclave/core/wire'
import { maxLifetimeSeconds } from '../limits.ts'
import { readKeyPackage } from './messages.ts'
import { OrderingError } from './orderingError.ts'

/**
 * Checks a KeyPackage as its committer will, so that nobody waits in vain with one that cannot be
 * added.
 * @returns its KeyPackageRef (RFC 9420 §5.2)
 * @throws CodecError, OrderingError, MlsError or MeetingError
 */
export async function verifyJoiner(
  bytes: Bytes,
  { crypto, environment, groupContext }: PublicGroup,
  now: number,
): Promise<Bytes> {
  const keyPackage = readKeyPackage(bytes)
  const { leafNode } = keyPackage
  checkSpan(keyPackage)
  checkLifetime(leafNode, now, 'receiver')
  checkLeafNode(leafNode, {
    cipherSuite: groupContext.cipherSuite,
    requiredCapabilities: requiredCapabilities(groupContext.extensions),
    groupExtensionTypes: groupContext.extensions.map(({ extensionType }) => extensionType),
  })
  await verifyKeyPackage(crypto, keyPackage)
  await environment.policy.checkLeaf(crypto, leafNode, groupContext, undefined, 'receiver')
  return makeKeyPackageRef(crypto, keyPackage)
}

/** @throws OrderingError `key-package-lifetime-too-long` */
function checkSpan({ leafNode }: KeyPackage): void {
  if (leafNode.leafNodeSource !== LeafNodeSource.keyPackage) return
  const { notBefore, notAfter } = leafNode.lifetime
  if (notAfter - notBefore > maxLifetimeSeconds) {
    throw new OrderingError(
      'key-package-lifetime-too-long',
      `a KeyPackage is valid for ${maxLifetimeSeconds} s at most`,
    )
  }
}
