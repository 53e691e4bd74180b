import type { Bytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import { type AuthenticatedContent, type FramedContent, MlsMessage } from '../../wire/framing.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import { type ContentType, ProtocolVersion, SenderType, WireFormat } from '../../wire/registry.ts'
import { decodeSafeAad, usesSafeAad } from '../application/safeAad.ts'
import { MlsError } from '../mlsError.ts'
import type { GroupPolicy } from '../public/policy.ts'
import { noPadding } from '../treedem/padding.ts'
import { protectPrivate } from '../treedem/privateMessage.ts'
import { protectPublic } from '../treedem/publicMessage.ts'
import { signFramedContent } from '../treedem/signFramedContent.ts'
import type { Epoch } from './epoch.ts'

export type HandshakeFormat = typeof WireFormat.publicMessage | typeof WireFormat.privateMessage

/**
 * Handshakes can go out readable for a delivery service that checks them, or encrypted.
 * @throws MlsError `message-wire-format-unexpected` where the policy wants the other
 */
export function handshakeFormat(
  { environment: { policy } }: Epoch,
  encrypted: boolean | undefined,
): HandshakeFormat {
  const format = encrypted === true ? WireFormat.privateMessage : WireFormat.publicMessage
  checkHandshakeFormat(policy, format)
  return format
}

/** @throws MlsError `message-wire-format-unexpected` */
export function checkHandshakeFormat({ handshakes }: GroupPolicy, format: HandshakeFormat): void {
  if (handshakes === 'public' && format !== WireFormat.publicMessage) {
    throw new MlsError('message-wire-format-unexpected', 'handshakes are PublicMessages here')
  }
}

type WithoutHeader<T> = T extends { contentType: ContentType }
  ? Omit<T, 'groupId' | 'epoch' | 'sender'>
  : never

/** RFC 9420 §6: content of ours in this epoch. */
export function ownContent(
  { public: group, leafIndex }: Epoch,
  content: WithoutHeader<FramedContent>,
): FramedContent {
  const { groupId, epoch } = group.groupContext
  const sender = { senderType: SenderType.member, leafIndex }
  return { groupId, epoch, sender, ...content }
}

/**
 * The extensions draft, "Safe Additional Authenticated Data": in a group that has agreed on it, every
 * message's authenticated_data is divided among components.
 * @throws MlsError `safe-aad-malformed`
 */
export function checkAuthenticatedData(
  { extensions }: GroupContext,
  { authenticatedData }: Pick<FramedContent, 'authenticatedData'>,
): void {
  if (usesSafeAad(extensions)) decodeSafeAad(authenticatedData)
}

/** Signs content of ours that has no confirmation tag, and protects it. */
export async function frame(
  epoch: Epoch,
  wireFormat: HandshakeFormat,
  content: FramedContent,
): Promise<{ authenticated: AuthenticatedContent; message: Bytes }> {
  const { groupContext } = epoch.public
  checkAuthenticatedData(groupContext, content)
  const signature = await signFramedContent(epoch.signer, wireFormat, content, groupContext)
  const authenticated = { wireFormat, content, auth: { signature } }
  return { authenticated, message: await protect(epoch, authenticated) }
}

/** RFC 9420 §6.2, §6.3: an MLSMessage of ours in this epoch. */
export async function protect(epoch: Epoch, authenticated: AuthenticatedContent): Promise<Bytes> {
  const { crypto, messages, secrets, environment } = epoch
  const { mls10: version } = ProtocolVersion
  if (authenticated.wireFormat === WireFormat.privateMessage) {
    const padding = environment.padding ?? noPadding
    const privateMessage = await protectPrivate(crypto, messages, authenticated, padding)
    return encode(MlsMessage, { version, wireFormat: WireFormat.privateMessage, privateMessage })
  }
  const { groupContext } = epoch.public
  const { membershipKey } = secrets
  const publicMessage = protectPublic(crypto, membershipKey, authenticated, groupContext)
  return encode(MlsMessage, { version, wireFormat: WireFormat.publicMessage, publicMessage })
}
