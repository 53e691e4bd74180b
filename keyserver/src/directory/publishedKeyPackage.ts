import { type Bytes, fromUtf8 } from '@conclave/core/codec'
import { makeKeyPackageRef, type PublicCrypto } from '@conclave/core/crypto/public'
import { anyMeeting, checkMemberLeaf, conclaveCapabilities, memberOf } from '@conclave/core/meeting'
import {
  checkLifetime,
  isLastResort,
  readKeyPackage,
  verifyKeyPackage,
} from '@conclave/core/mls/public'
import { checkLeafNode } from '@conclave/core/mls/treesync'
import { CredentialType, type KeyPackage, LeafNodeSource } from '@conclave/core/wire'
import type { PublishedKeyPackage } from './directory.ts'
import { DirectoryError } from './directoryError.ts'
import { longestLifetime, shortestLifetime } from './limits.ts'

export interface VerifiedKeyPackage extends PublishedKeyPackage {
  readonly deviceKey: Bytes
}

export interface PublishingTerms {
  readonly crypto: PublicCrypto
  /** The access token's. */
  readonly identity: string
  readonly kind: 'single-use' | 'last-resort'
  /** Milliseconds since the Unix epoch. */
  readonly now: number
}

/** What a committer wants to have left when it uses a claimed KeyPackage, in seconds. */
const timeToUse = 10n * 60n

/**
 * Checks a KeyPackage as those who claim it will, for a meeting that nobody knows yet (RFC 9420
 * §10.1): whoever gets it can add its owner anywhere.
 * @throws CodecError, DirectoryError, MlsError or MeetingError
 */
export async function verifyPublished(
  bytes: Bytes,
  { crypto, identity, kind, now }: PublishingTerms,
): Promise<VerifiedKeyPackage> {
  const keyPackage = readKeyPackage(bytes)
  const { leafNode, cipherSuite } = keyPackage
  const suite = crypto.publicSuite(cipherSuite)
  if (suite === undefined) {
    throw new DirectoryError(
      'key-package-suite-unsupported',
      `cipher suite ${cipherSuite} is not known here`,
    )
  }
  const { credential } = leafNode
  // Of other credentials checkMemberLeaf says that nobody can check them yet.
  if (
    credential.credentialType === CredentialType.basic &&
    fromUtf8(credential.identity) !== identity
  ) {
    throw new DirectoryError(
      'key-package-identity-mismatch',
      'the KeyPackage is not of the identity of the access token',
    )
  }
  if (isLastResort(keyPackage) !== (kind === 'last-resort')) {
    throw new DirectoryError(
      'key-package-last-resort-mismatch',
      'the last resort is marked as one, and nothing else is',
    )
  }
  const expiresAt = checkSpan(keyPackage, now)
  checkLeafNode(leafNode, {
    cipherSuite,
    requiredCapabilities: conclaveCapabilities,
    groupExtensionTypes: [],
  })
  await verifyKeyPackage(suite, keyPackage)
  await checkMemberLeaf(suite, anyMeeting, leafNode, undefined)
  return {
    ref: makeKeyPackageRef(suite, keyPackage),
    keyPackage: bytes,
    expiresAt,
    deviceKey: memberOf(leafNode).deviceKey,
  }
}

/**
 * @returns until when the KeyPackage is handed out, in milliseconds since the Unix epoch
 * @throws MlsError `leaf-lifetime-expired`, DirectoryError `key-package-lifetime-…`
 */
function checkSpan({ leafNode }: KeyPackage, now: number): number {
  checkLifetime(leafNode, now, 'sender')
  // Of a leaf from elsewhere verifyKeyPackage says so.
  if (leafNode.leafNodeSource !== LeafNodeSource.keyPackage) return now
  const { notAfter } = leafNode.lifetime
  const left = notAfter - BigInt(Math.floor(now / 1000))
  if (left < shortestLifetime) {
    throw new DirectoryError(
      'key-package-lifetime-too-short',
      `a published KeyPackage is valid for ${shortestLifetime} s at least`,
    )
  }
  if (left > longestLifetime) {
    throw new DirectoryError(
      'key-package-lifetime-too-long',
      `a published KeyPackage is valid for ${longestLifetime} s at most`,
    )
  }
  return Number(notAfter - timeToUse) * 1000
}
