import { extend, type Infer, opaque, struct, uint16 } from '../codec/tls.ts'
import { Extensions } from './extension.ts'
import { LeafNode } from './ratchetTree.ts'

/*
 * RFC 9420 §10
 *
 * struct {
 *     ProtocolVersion version;
 *     CipherSuite cipher_suite;
 *     HPKEPublicKey init_key;
 *     LeafNode leaf_node;
 *     Extension extensions<V>;
 *     // SignWithLabel(., "KeyPackageTBS", KeyPackageTBS)
 *     opaque signature<V>;
 * } KeyPackage;
 */
export const KeyPackageTbs = struct({
  version: uint16,
  cipherSuite: uint16,
  initKey: opaque(),
  leafNode: LeafNode,
  extensions: Extensions,
})
export type KeyPackageTbs = Infer<typeof KeyPackageTbs>

export const KeyPackage = extend(KeyPackageTbs, () => struct({ signature: opaque() }))
export type KeyPackage = Infer<typeof KeyPackage>
