import type { Bytes } from '@conclave/core/codec'
import { makeKeyPackageRef } from '@conclave/core/crypto/public'
import type { PublicGroup } from '@conclave/core/mls/public'
import { checkKeyPackage } from './keyPackages.ts'
import { readKeyPackage } from './messages.ts'

/**
 * Checks a joiner's KeyPackage.
 * @returns its KeyPackageRef (RFC 9420 §5.2)
 * @throws CodecError, OrderingError, MlsError or MeetingError
 */
export async function verifyJoiner(
  bytes: Bytes,
  { crypto, environment: { policy }, groupContext: context }: PublicGroup,
  now: number,
): Promise<Bytes> {
  const keyPackage = readKeyPackage(bytes)
  await checkKeyPackage(keyPackage, { crypto, policy, context }, now)
  return makeKeyPackageRef(crypto, keyPackage)
}
