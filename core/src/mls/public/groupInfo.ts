import { encode } from '../../codec/tls.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import { verifyWithLabel } from '../../crypto/public/verifyWithLabel.ts'
import { type GroupInfo, GroupInfoTbs } from '../../wire/welcome.ts'
import { MlsError } from '../mlsError.ts'
import { checkExtensions } from '../treesync/extensions.ts'
import type { PublicTree } from '../treesync/publicTree.ts'

export const groupInfoLabel = 'GroupInfoTBS'

/**
 * RFC 9420 §12.4.3: signed by the leaf that it names, in the tree that it describes.
 * @throws MlsError `group-info-signature-invalid`, `extension-…`
 */
export async function verifyGroupInfoSignature(
  crypto: PublicSuite,
  groupInfo: GroupInfo,
  tree: PublicTree,
): Promise<void> {
  checkExtensions(groupInfo.extensions, 'group-info')
  const signer = tree.leafNode(groupInfo.signer)
  const content = encode(GroupInfoTbs, groupInfo)
  const verified =
    signer !== undefined &&
    (await verifyWithLabel(
      crypto,
      signer.signatureKey,
      groupInfoLabel,
      content,
      groupInfo.signature,
    ))
  if (!verified) {
    throw new MlsError('group-info-signature-invalid', 'the GroupInfo is not signed by a member')
  }
}
