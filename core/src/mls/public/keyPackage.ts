import { equalBytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import { isEncryptionKey } from '../../crypto/public/encryptionKey.ts'
import type { PublicSuite } from '../../crypto/public/publicSuite.ts'
import { verifyWithLabel } from '../../crypto/public/verifyWithLabel.ts'
import { type KeyPackage, KeyPackageTbs } from '../../wire/keyPackage.ts'
import type { LeafNode, Lifetime } from '../../wire/ratchetTree.ts'
import { LeafNodeSource, ProtocolVersion } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { checkExtensions } from '../treesync/extensions.ts'
import { verifyLeafNodeSignature } from '../treesync/leafNode.ts'

export const keyPackageLabel = 'KeyPackageTBS'

/**
 * RFC 9420 §10.1, all but what depends on a group's other members.
 * @throws MlsError `key-package-…`, `extension-…`, `leaf-source-wrong`, `leaf-signature-invalid`
 */
export async function verifyKeyPackage(crypto: PublicSuite, keyPackage: KeyPackage): Promise<void> {
  const { leafNode, initKey, signature } = keyPackage
  if (keyPackage.version !== ProtocolVersion.mls10) {
    throw new MlsError('key-package-version-mismatch', 'the KeyPackage is of another version')
  }
  if (keyPackage.cipherSuite !== crypto.suite.id) {
    throw new MlsError('key-package-suite-mismatch', 'the KeyPackage is of another cipher suite')
  }
  if (leafNode.leafNodeSource !== LeafNodeSource.keyPackage) {
    throw new MlsError('leaf-source-wrong', "a KeyPackage's leaf must say so")
  }
  if (!isEncryptionKey(keyPackage.cipherSuite, initKey)) {
    throw new MlsError('key-package-init-key-invalid', 'nothing can be sealed to the init key')
  }
  if (equalBytes(initKey, leafNode.encryptionKey)) {
    throw new MlsError('key-package-init-key-reused', 'init key and encryption key must differ')
  }
  checkExtensions(keyPackage.extensions, 'key-package')
  const content = encode(KeyPackageTbs, keyPackage)
  const { signatureKey } = leafNode
  if (
    !(await verifyWithLabel(crypto, signatureKey, keyPackageLabel, content, signature, 'recurring'))
  ) {
    throw new MlsError('key-package-signature-invalid', 'the KeyPackage is not signed by its leaf')
  }
  await verifyLeafNodeSignature(crypto, leafNode)
}

/** A committer wants this much validity left, in seconds, so that clocks never split a group. */
export const marginWhenSending = 2n * 60n
/** A receiver still accepts what expired this long ago, in seconds. */
export const toleranceWhenReceiving = 10n * 60n

/**
 * RFC 9420 §7.3 leaves room for clocks that differ: senders are strict and receivers lenient.
 * @throws MlsError `leaf-lifetime-expired`
 */
export function checkLifetime(leafNode: LeafNode, nowMs: number, as: 'sender' | 'receiver'): void {
  if (leafNode.leafNodeSource !== LeafNodeSource.keyPackage) return
  if (!isWithinLifetime(leafNode.lifetime, BigInt(Math.floor(nowMs / 1000)), as)) {
    throw new MlsError('leaf-lifetime-expired', 'the KeyPackage is not valid at this time')
  }
}

function isWithinLifetime(
  { notBefore, notAfter }: Lifetime,
  now: bigint,
  as: 'sender' | 'receiver',
): boolean {
  return as === 'sender'
    ? notBefore <= now && now + marginWhenSending <= notAfter
    : notBefore <= now + toleranceWhenReceiving && now <= notAfter + toleranceWhenReceiving
}
