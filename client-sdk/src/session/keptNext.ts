import { type Infer, oneOf, opaque, optional, struct, uint8, uint16 } from '@conclave/core/codec'
import { secretOpaque } from '@conclave/core/crypto/secret'

/*
 * struct {
 *     opaque group_info<V>;
 *     opaque ratchet_tree<V>;
 *     optional<opaque<V>> welcome;
 *     opaque group<V>;                // PendingCommit.encodeEntered
 * } Founded;
 *
 * struct {
 *     uint8 version = 1;
 *     opaque group_id<V>;             // of the group that is continued
 *     opaque next_id<V>;              // of the one that continues it
 *     uint16 cipher_suite;
 *     opaque signature_key<V>;        // private, of our leaf there
 *     opaque key_package<V>;          // storeKeyPackage: what we have offered
 *     optional<Founded> founded;      // where it is we who found it
 * } NextPlace;
 */
export const KeptNext = struct({
  version: oneOf(uint8, [1]),
  groupId: opaque(256),
  nextId: opaque(256),
  cipherSuite: uint16,
  signatureKey: secretOpaque,
  keyPackage: secretOpaque,
  founded: optional(
    struct({
      groupInfo: opaque(),
      ratchetTree: opaque(),
      welcome: optional(opaque()),
      group: secretOpaque,
    }),
  ),
})

/** What lets us into the group that is to continue ours. Its `Secret`s are its owner's to wipe. */
export type KeptNext = Omit<Infer<typeof KeptNext>, 'version'>

export function wipeNext({ signatureKey, keyPackage, founded }: KeptNext): void {
  signatureKey.wipe()
  keyPackage.wipe()
  founded?.group.wipe()
}
