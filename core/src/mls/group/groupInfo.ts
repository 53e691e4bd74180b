import { encode } from '../../codec/tls.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import type { Signer } from '../../crypto/secret/sign.ts'
import { type Extension, ExternalPub } from '../../wire/extension.ts'
import { ExtensionType } from '../../wire/registry.ts'
import type { GroupInfo, GroupInfoTbs } from '../../wire/welcome.ts'
import { signGroupInfo } from '../bootstrap/groupInfo.ts'
import { deriveExternalKey, type EpochSecrets } from '../treekem/keySchedule.ts'
import type { PublicTree } from '../treesync/publicTree.ts'

/** What a GroupInfo holds beyond the GroupContext. */
export interface GroupInfoOptions {
  /** With the key that lets somebody join by an external commit (RFC 9420 §12.4.3.2). */
  readonly externalPub?: boolean
  /** With the whole tree (§12.4.3.3), for those who get it from nowhere else. */
  readonly ratchetTree?: boolean
  /** Of the application's own. */
  readonly extensions?: readonly Extension[]
}

/** RFC 9420 §12.4.3: describes an epoch to those who may enter it. */
export async function describeEpoch(
  crypto: SecretSuite,
  signer: Signer,
  content: Omit<GroupInfoTbs, 'extensions'>,
  tree: PublicTree,
  secrets: Pick<EpochSecrets, 'externalSecret'>,
  options: GroupInfoOptions = {},
): Promise<GroupInfo> {
  const extensions: Extension[] = [...(options.extensions ?? [])]
  if (options.ratchetTree === true) {
    const extensionData = tree.encoded()
    extensions.push({ extensionType: ExtensionType.ratchetTree, extensionData })
  }
  if (options.externalPub === true) {
    const { publicKey, privateKey } = await deriveExternalKey(crypto, secrets)
    privateKey.wipe()
    const extensionData = encode(ExternalPub, { externalPub: publicKey })
    extensions.push({ extensionType: ExtensionType.externalPub, extensionData })
  }
  return signGroupInfo(signer, { ...content, extensions })
}
