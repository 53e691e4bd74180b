import { equalBytes } from '../../codec/bytes.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import type { RatchetTree } from '../../wire/ratchetTree.ts'
import { ProtocolVersion } from '../../wire/registry.ts'
import type { GroupInfo } from '../../wire/welcome.ts'
import { MlsError } from '../mlsError.ts'
import { checkExtensions } from '../treesync/extensions.ts'
import { type Member, PublicTree } from '../treesync/publicTree.ts'
import { checkEach } from './checkEach.ts'
import { verifyGroupInfoSignature } from './groupInfo.ts'
import type { PublicEnvironment } from './policy.ts'

/**
 * What a GroupInfo and its tree say of a group as a whole, verified (RFC 9420 §12.4.3.1).
 * @throws MlsError, or what the policy throws
 */
export async function describedGroup(
  environment: PublicEnvironment,
  groupInfo: GroupInfo,
  ratchetTree: RatchetTree,
): Promise<{ crypto: PublicSuite; tree: PublicTree }> {
  const { groupContext } = groupInfo
  const crypto = publicSuiteOf(environment, groupContext)
  if (groupContext.version !== ProtocolVersion.mls10) {
    throw new MlsError('message-version-unsupported', 'the group is of another version')
  }
  const tree = PublicTree.fromRatchetTree(ratchetTree)
  checkExtensions(groupContext.extensions, 'group-context')
  // Asked first, because it bounds the size of the tree and what follows takes time for each leaf.
  environment.policy.checkGroup(groupContext, tree)
  if (!equalBytes(tree.treeHash(crypto), groupContext.treeHash)) {
    throw new MlsError('tree-hash-mismatch', 'the tree is not the one of the GroupInfo')
  }
  await verifyGroupInfoSignature(crypto, groupInfo, tree)
  return { crypto, tree }
}

/** Asks the policy about everyone who is in a group that is entered. */
export function judgeMembers(
  { policy }: PublicEnvironment,
  crypto: PublicSuite,
  context: GroupContext,
  members: readonly Member[],
): Promise<void> {
  return checkEach(crypto, members, (suite, { leafNode }) =>
    policy.checkLeaf(suite, leafNode, context, undefined, 'joiner'),
  )
}

/** @throws MlsError `suite-unsupported` */
export function publicSuiteOf(
  { crypto }: PublicEnvironment,
  { cipherSuite }: GroupContext,
): PublicSuite {
  const suite = crypto.publicSuite(cipherSuite)
  if (suite === undefined) {
    throw new MlsError('suite-unsupported', `no cipher suite ${cipherSuite}`)
  }
  return suite
}
