import { type Bytes, encode, equalBytes } from '@conclave/core/codec'
import {
  type LeafIndex,
  MlsMessage,
  ProtocolVersion,
  type Welcome,
  WireFormat,
} from '@conclave/core/wire'
import type { WelcomePart } from '../store/store.ts'

/**
 * A Welcome for each joiner alone, with its own EncryptedGroupSecrets (RFC 9420 §12.4.3.1): a
 * joiner looks for its KeyPackageRef and has no use for the others'.
 */
export function welcomeParts(
  { cipherSuite, secrets, encryptedGroupInfo }: Welcome,
  added: readonly { readonly leafIndex: LeafIndex; readonly keyPackageRef: Bytes }[],
): readonly WelcomePart[] {
  return added.map(({ leafIndex, keyPackageRef }) => {
    const own = secrets.filter(({ newMember }) => equalBytes(newMember, keyPackageRef))
    const welcome: Welcome = { cipherSuite, secrets: own, encryptedGroupInfo }
    const message: MlsMessage = {
      version: ProtocolVersion.mls10,
      wireFormat: WireFormat.welcome,
      welcome,
    }
    return { ref: keyPackageRef, leafIndex, welcome: encode(MlsMessage, message) }
  })
}
