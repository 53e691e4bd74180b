import { type Bytes, emptyBytes } from '../../src/codec/bytes.ts'
import { Secret, type SecretSuite, type Signer } from '../../src/crypto/secret/index.ts'
import { signGroupInfo } from '../../src/mls/bootstrap/groupInfo.ts'
import { sealWelcome } from '../../src/mls/bootstrap/welcome.ts'
import {
  confirmationTag,
  deriveEpochSecrets,
  deriveMemberSecret,
} from '../../src/mls/treekem/keySchedule.ts'
import type { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import type {
  GroupContext,
  GroupInfo,
  GroupInfoTbs,
  KeyPackage,
  LeafIndex,
  PreSharedKeyId,
  Welcome,
} from '../../src/wire/index.ts'
import type { Change } from './malformed.ts'

export interface InventedGroup {
  readonly signer: Signer
  readonly signerLeaf: LeafIndex
  readonly context: GroupContext
  readonly tree: PublicTree
  readonly newcomer: KeyPackage
  readonly pathSecret?: Secret
  readonly psks?: readonly PreSharedKeyId[]
  readonly pskSecret?: Secret
  readonly groupInfo?: Change<GroupInfoTbs>
  readonly confirmationTag?: Change<Bytes>
  /** After the GroupInfo was signed. */
  readonly signed?: Change<GroupInfo>
}

/**
 * A Welcome into a group that its sender has made up: a newcomer has nothing but the rules of
 * §12.4.3.1 to tell it from a real one.
 */
export async function inventWelcome(crypto: SecretSuite, group: InventedGroup): Promise<Welcome> {
  const { tree } = group
  const context = { ...group.context, treeHash: tree.treeHash(crypto) }
  const plain: GroupInfoTbs = {
    groupContext: context,
    extensions: [],
    confirmationTag: emptyBytes,
    signer: group.signerLeaf,
  }
  const changed = group.groupInfo?.(plain) ?? plain
  const joinerSecret = new Secret(crypto.random(crypto.suite.Nh))
  const pskSecret = group.pskSecret ?? new Secret(new Uint8Array(crypto.suite.Nh))
  const memberSecret = deriveMemberSecret(crypto, joinerSecret, pskSecret)
  const secrets = deriveEpochSecrets(crypto, memberSecret, changed.groupContext)
  const tag = confirmationTag(crypto, secrets, changed.groupContext.confirmedTranscriptHash)
  const groupInfo = await signGroupInfo(group.signer, {
    ...changed,
    confirmationTag: group.confirmationTag?.(tag) ?? tag,
  })
  return sealWelcome(
    crypto,
    [{ keyPackage: group.newcomer, pathSecret: group.pathSecret }],
    joinerSecret,
    memberSecret,
    group.psks ?? [],
    group.signed?.(groupInfo) ?? groupInfo,
  )
}
