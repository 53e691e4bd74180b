import type { Bytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import { makeKeyPackageRef } from '../../crypto/public/refHash.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { HpkeKeyPair, SecretSuite } from '../../crypto/secret/secretSuite.ts'
import { type Signer, signWithLabel } from '../../crypto/secret/sign.ts'
import type { Credential } from '../../wire/credential.ts'
import type { Extensions } from '../../wire/extension.ts'
import { type KeyPackage, KeyPackageTbs } from '../../wire/keyPackage.ts'
import type { Capabilities, LeafNode, LeafNodeContent, Lifetime } from '../../wire/ratchetTree.ts'
import { LeafNodeSource, ProtocolVersion } from '../../wire/registry.ts'
import { keyPackageLabel } from '../public/keyPackage.ts'
import { leafNodeLabel, leafNodeTbs } from '../treesync/leafNode.ts'

/** Who a client is in one group: what its leaf says and the key that signs for it. */
export interface OwnLeaf {
  readonly signer: Signer
  readonly credential: Credential
  readonly capabilities: Capabilities
  readonly extensions: Extensions
}

/** A KeyPackage with the private keys that a Welcome for it needs. */
export interface KeyPackageBundle {
  readonly keyPackage: KeyPackage
  readonly ref: Bytes
  readonly initKey: HpkeKeyPair
  readonly leafKey: HpkeKeyPair
  readonly signer: Signer
}

/** RFC 9420 §10 */
export async function createKeyPackage(
  crypto: SecretSuite,
  own: OwnLeaf,
  lifetime: Lifetime,
): Promise<KeyPackageBundle> {
  const [initKey, leafKey] = await Promise.all([generateKeyPair(crypto), generateKeyPair(crypto)])
  const leafNode = await signLeafNode(own.signer, {
    ...leafContent(own, leafKey.publicKey),
    leafNodeSource: LeafNodeSource.keyPackage,
    lifetime,
  })
  const content: KeyPackageTbs = {
    version: ProtocolVersion.mls10,
    cipherSuite: crypto.suite.id,
    initKey: initKey.publicKey,
    leafNode,
    extensions: [],
  }
  const signature = await signWithLabel(own.signer, keyPackageLabel, encode(KeyPackageTbs, content))
  const keyPackage: KeyPackage = { ...content, signature }
  return {
    keyPackage,
    ref: makeKeyPackageRef(crypto, keyPackage),
    initKey,
    leafKey,
    signer: own.signer,
  }
}

/** Wipes the private keys of a bundle that nobody will welcome any more. */
export function wipeKeyPackage({ initKey, leafKey }: KeyPackageBundle): void {
  initKey.privateKey.wipe()
  leafKey.privateKey.wipe()
}

export async function generateKeyPair(crypto: SecretSuite): Promise<HpkeKeyPair> {
  const seed = new Secret(crypto.random(crypto.suite.Nh))
  try {
    return await crypto.deriveKeyPair(seed)
  } finally {
    seed.wipe()
  }
}

export function leafContent(own: OwnLeaf, encryptionKey: Bytes) {
  return {
    encryptionKey,
    signatureKey: own.signer.publicKey,
    credential: own.credential,
    capabilities: own.capabilities,
    extensions: own.extensions,
  }
}

/** RFC 9420 §7.2; `position` for every leaf but a KeyPackage's. */
export async function signLeafNode(
  signer: Signer,
  content: LeafNodeContent,
  position?: Parameters<typeof leafNodeTbs>[1],
): Promise<LeafNode> {
  const tbs = leafNodeTbs(content, position)
  return { ...content, signature: await signWithLabel(signer, leafNodeLabel, tbs) }
}
