import { type Bytes, equalBytes } from '../../codec/bytes.ts'
import { encodeFor } from '../../codec/tls.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import {
  type AuthenticatedContent,
  AuthenticatedContentTbm,
  type FramedContent,
  type PublicMessage,
} from '../../wire/framing.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import { ContentType, SenderType, WireFormat } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { framedContentTbs } from '../public/contentSignature.ts'

/** RFC 9420 §6.2: proves to members that the sender is one too. */
export function membershipTag(
  crypto: SecretSuite,
  membershipKey: Secret,
  { wireFormat, content, auth }: AuthenticatedContent,
  context: GroupContext,
): Bytes {
  const contentTbs = framedContentTbs(wireFormat, content, context)
  return encodeFor(AuthenticatedContentTbm, { contentTbs, auth }, (message) =>
    crypto.mac(membershipKey.expose(), message),
  )
}

/**
 * RFC 9420 §6.2
 * @throws MlsError `message-wire-format-unexpected` for application data
 */
export function protectPublic(
  crypto: SecretSuite,
  membershipKey: Secret,
  content: AuthenticatedContent,
  context: GroupContext,
): PublicMessage {
  checkHandshake(content.content)
  const message = { content: content.content, auth: content.auth }
  return content.content.sender.senderType === SenderType.member
    ? { ...message, membershipTag: membershipTag(crypto, membershipKey, content, context) }
    : message
}

/**
 * RFC 9420 §6.2: the membership tag of a member's message; the signature is checked apart.
 * @throws MlsError `message-membership-tag-invalid`, `message-wire-format-unexpected`
 */
export function unprotectPublic(
  crypto: SecretSuite,
  membershipKey: Secret,
  message: PublicMessage,
  context: GroupContext,
): AuthenticatedContent {
  const { content, auth } = message
  checkHandshake(content)
  const authenticated: AuthenticatedContent = {
    wireFormat: WireFormat.publicMessage,
    content,
    auth,
  }
  if (content.sender.senderType === SenderType.member) {
    const expected = membershipTag(crypto, membershipKey, authenticated, context)
    if (message.membershipTag === undefined || !equalBytes(message.membershipTag, expected)) {
      throw new MlsError('message-membership-tag-invalid', 'the membership tag does not verify')
    }
  }
  return authenticated
}

/** §6: application data is always encrypted. */
function checkHandshake({ contentType }: FramedContent): void {
  if (contentType === ContentType.application) {
    throw new MlsError('message-wire-format-unexpected', 'application data in a PublicMessage')
  }
}
