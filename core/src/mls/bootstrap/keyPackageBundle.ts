import type { Bytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import { makeKeyPackageRef } from '../../crypto/public/refHash.ts'
import { Secret } from '../../crypto/secret/secret.ts'
import type { HpkeKeyPair, SecretSuite } from '../../crypto/secret/secretSuite.ts'
import { type Signer, signWithLabel } from '../../crypto/secret/sign.ts'
import type { Clock } from '../../runtime.ts'
import type { Credential } from '../../wire/credential.ts'
import type { Extensions } from '../../wire/extension.ts'
import { type KeyPackage, KeyPackageTbs } from '../../wire/keyPackage.ts'
import type { Capabilities, LeafNode, LeafNodeContent, Lifetime } from '../../wire/ratchetTree.ts'
import { LeafNodeSource, ProtocolVersion } from '../../wire/registry.ts'
import { keyPackageLabel } from '../public/keyPackage.ts'
import { isLastResort, markLastResort } from '../public/lastResort.ts'
import { checkExtensions } from '../treesync/extensions.ts'
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
  /** Whether the private keys outlive a join, since further Welcomes may come for the KeyPackage. */
  readonly lastResort: boolean
}

/** What a KeyPackage says beyond its leaf. */
export interface KeyPackageOptions {
  /** Of the KeyPackage, not of its leaf. */
  readonly extensions?: Extensions
  /**
   * Marks a KeyPackage that may be used more than once, when no other is left (RFC 9420 §16.8).
   * Whoever steals its private keys opens every Welcome for it, so it should be replaced soon after
   * each use.
   */
  readonly lastResort?: boolean
}

/** A client's clock may be behind the one of whoever makes the KeyPackage; seconds. */
const slackBefore = 3600n

/** From an hour ago, for clocks that are behind, until `seconds` from now (RFC 9420 §7.2). */
export function lifetimeFrom(clock: Pick<Clock, 'now'>, seconds: number): Lifetime {
  const now = BigInt(Math.floor(clock.now() / 1000))
  return { notBefore: now - slackBefore, notAfter: now + BigInt(Math.floor(seconds)) }
}

/**
 * RFC 9420 §10
 * @throws MlsError `extension-…`, `app-data-malformed` for extensions that no receiver would accept
 */
export async function createKeyPackage(
  crypto: SecretSuite,
  own: OwnLeaf,
  lifetime: Lifetime,
  { extensions = [], lastResort = false }: KeyPackageOptions = {},
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
    extensions: lastResort ? markLastResort(extensions) : extensions,
  }
  checkExtensions(leafNode.extensions, 'leaf-node')
  checkExtensions(content.extensions, 'key-package')
  const signature = await signWithLabel(own.signer, keyPackageLabel, encode(KeyPackageTbs, content))
  const keyPackage: KeyPackage = { ...content, signature }
  return {
    keyPackage,
    ref: makeKeyPackageRef(crypto, keyPackage),
    initKey,
    leafKey,
    signer: own.signer,
    lastResort: isLastResort(keyPackage),
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
