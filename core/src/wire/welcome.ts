import { extend, type Infer, opaque, optional, struct, uint16, vector } from '../codec/tls.ts'
import { Extensions } from './extension.ts'
import { GroupContext } from './groupContext.ts'
import { PreSharedKeyId } from './proposal.ts'
import { HpkeCiphertext, LeafIndex } from './ratchetTree.ts'

/*
 * RFC 9420 §12.4.3
 *
 * struct {
 *     GroupContext group_context;
 *     Extension extensions<V>;
 *     MAC confirmation_tag;
 *     uint32 signer;
 *     // SignWithLabel(., "GroupInfoTBS", GroupInfoTBS)
 *     opaque signature<V>;
 * } GroupInfo;
 */
export const GroupInfoTbs = struct({
  groupContext: GroupContext,
  extensions: Extensions,
  confirmationTag: opaque(),
  signer: LeafIndex,
})
export type GroupInfoTbs = Infer<typeof GroupInfoTbs>

export const GroupInfo = extend(GroupInfoTbs, () => struct({ signature: opaque() }))
export type GroupInfo = Infer<typeof GroupInfo>

/*
 * §12.4.3.1
 *
 * struct { opaque path_secret<V>; } PathSecret;
 *
 * struct {
 *     opaque joiner_secret<V>;
 *     optional<PathSecret> path_secret;
 *     PreSharedKeyID psks<V>;
 * } GroupSecrets;
 *
 * struct {
 *     KeyPackageRef new_member;
 *     HPKECiphertext encrypted_group_secrets;
 * } EncryptedGroupSecrets;
 *
 * struct {
 *     CipherSuite cipher_suite;
 *     EncryptedGroupSecrets secrets<V>;
 *     opaque encrypted_group_info<V>;
 * } Welcome;
 */
export const GroupSecrets = struct({
  joinerSecret: opaque(),
  pathSecret: optional(struct({ pathSecret: opaque() })),
  psks: vector(PreSharedKeyId),
})
export type GroupSecrets = Infer<typeof GroupSecrets>

export const EncryptedGroupSecrets = struct({
  newMember: opaque(),
  encryptedGroupSecrets: HpkeCiphertext,
})
export type EncryptedGroupSecrets = Infer<typeof EncryptedGroupSecrets>

export const Welcome = struct({
  cipherSuite: uint16,
  secrets: vector(EncryptedGroupSecrets),
  encryptedGroupInfo: opaque(),
})
export type Welcome = Infer<typeof Welcome>
