import type { PublicSuite } from '@conclave/core/crypto/public'
import {
  checkLifetime,
  type GroupPolicy,
  requiredCapabilities,
  verifyKeyPackage,
} from '@conclave/core/mls/public'
import { checkLeafNode } from '@conclave/core/mls/treesync'
import { type GroupContext, type KeyPackage, LeafNodeSource } from '@conclave/core/wire'
import { maxLifetimeSeconds } from '../limits.ts'
import { OrderingError } from './orderingError.ts'

/** What a KeyPackage is to be used in. */
export interface EnteredGroup {
  readonly crypto: PublicSuite
  readonly policy: GroupPolicy
  readonly context: GroupContext
}

/**
 * Checks a KeyPackage as whoever adds it will, so that nobody waits in vain with one that cannot be
 * added.
 * @throws OrderingError, MlsError or MeetingError
 */
export async function checkKeyPackage(
  keyPackage: KeyPackage,
  { crypto, policy, context }: EnteredGroup,
  now: number,
): Promise<void> {
  const { leafNode } = keyPackage
  checkSpan(keyPackage)
  checkLifetime(leafNode, now, 'receiver')
  checkLeafNode(leafNode, {
    cipherSuite: context.cipherSuite,
    requiredCapabilities: requiredCapabilities(context.extensions),
    groupExtensionTypes: context.extensions.map(({ extensionType }) => extensionType),
  })
  await verifyKeyPackage(crypto, keyPackage)
  await policy.checkLeaf(crypto, leafNode, context, undefined, 'receiver')
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
