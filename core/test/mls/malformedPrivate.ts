import { type Bytes, emptyBytes } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import { type Signer, signWithLabel } from '../../src/crypto/secret/index.ts'
import type { Epoch } from '../../src/mls/group/epoch.ts'
import { framedContentLabel, framedContentTbs } from '../../src/mls/public/contentSignature.ts'
import { deriveSenderDataKey } from '../../src/mls/treedem/privateMessage.ts'
import {
  type FramedContent,
  FramedContentTbs,
  MlsMessage,
  PrivateContentAad,
  privateMessageContent,
  SenderData,
  SenderDataAad,
} from '../../src/wire/index.ts'
import { ContentType, WireFormat } from '../../src/wire/registry.ts'
import type { Change } from './malformed.ts'

export interface PrivateFraming {
  readonly signer?: Signer
  readonly signature?: Change<Bytes>
  /** What follows the content. */
  readonly padding?: Bytes
  readonly senderData?: Change<SenderData>
}

/**
 * RFC 9420 §6.3 without its checks: an MLSMessage with a proposal or application data, sealed with
 * the next key of the member whose epoch this is.
 */
export async function framePrivate(
  { crypto, messages, public: { groupContext }, signer: ownSigner, leafIndex }: Epoch,
  content: FramedContent,
  { signer = ownSigner, signature: changeSignature, ...framing }: PrivateFraming = {},
): Promise<Bytes> {
  const wireFormat = WireFormat.privateMessage
  const tbs = framedContentTbs(wireFormat, content, groupContext)
  const signature = await signWithLabel(signer, framedContentLabel, encode(FramedContentTbs, tbs))
  const plaintext = encode(privateMessageContent(content.contentType), {
    ...content,
    auth: { signature: changeSignature?.(signature) ?? signature },
    padding: framing.padding ?? emptyBytes,
  })
  const { groupId, epoch, authenticatedData, contentType } = content
  const head = { groupId, epoch, authenticatedData, contentType }
  const ratchet = contentType === ContentType.application ? 'application' : 'handshake'
  const { key, nonce, generation } = messages.secretTree.next(ratchet)
  const ciphertext = await crypto.aeadSeal(
    key,
    nonce.expose(),
    encode(PrivateContentAad, head),
    plaintext,
  )
  const honest = { leafIndex, generation, reuseGuard: new Uint8Array(4) }
  const sealing = deriveSenderDataKey(crypto, messages.senderDataSecret, ciphertext)
  const encryptedSenderData = await crypto.aeadSeal(
    sealing.key,
    sealing.nonce.expose(),
    encode(SenderDataAad, head),
    encode(SenderData, framing.senderData?.(honest) ?? honest),
  )
  const privateMessage = { ...head, encryptedSenderData, ciphertext }
  return encode(MlsMessage, { version: 1, wireFormat, privateMessage })
}
