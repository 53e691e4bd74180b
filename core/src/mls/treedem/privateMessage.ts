import { type Bytes, emptyBytes } from '../../codec/bytes.ts'
import { decode, encode } from '../../codec/tls.ts'
import { CryptoError } from '../../crypto/cryptoError.ts'
import { expandWithLabel } from '../../crypto/secret/labels.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import type { SecretSuite } from '../../crypto/secret/secretSuite.ts'
import {
  type AuthenticatedContent,
  type FramedContent,
  type FramedContentAuthData,
  PrivateContentAad,
  type PrivateMessage,
  privateMessageContent,
  SenderData,
  SenderDataAad,
} from '../../wire/framing.ts'
import { ContentType, SenderType, WireFormat } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import type { PublicTree } from '../treesync/publicTree.ts'
import { type Padding, paddingLength } from './padding.ts'
import { type KeyAndNonce, wipeKey } from './ratchet.ts'
import type { RatchetType, SecretTree } from './secretTree.ts'

/** The secrets of one epoch that its PrivateMessages are encrypted with. */
export interface MessageSecrets {
  readonly senderDataSecret: Secret
  readonly secretTree: SecretTree
}

/**
 * A PrivateMessage that only a member of its epoch can have made. One of `accept` and `refuse` must
 * follow, once the signature has been checked.
 */
export interface OpenedPrivateMessage {
  /** Its signature has not been verified. */
  readonly authenticated: AuthenticatedContent
  readonly generation: number
  /**
   * The message was genuine: its key is wiped.
   * @throws MlsError `message-key-consumed` where another message of this generation came first
   */
  accept(): void
  /** It was not: the key is kept for the real one. */
  refuse(): void
}

/**
 * RFC 9420 §6.3. Sealing uses up a generation of our ratchet, also where it fails.
 * @throws MlsError `message-wire-format-unexpected` for content that was signed for a PublicMessage,
 * `message-sender-not-allowed` for a sender that is not the secret tree's own leaf,
 * `message-padding-invalid`, `secret-tree-exhausted`
 */
export async function protectPrivate(
  crypto: SecretSuite,
  { senderDataSecret, secretTree }: MessageSecrets,
  { wireFormat, content, auth }: AuthenticatedContent,
  padding: Padding,
): Promise<PrivateMessage> {
  if (wireFormat !== WireFormat.privateMessage) {
    throw new MlsError('message-wire-format-unexpected', 'not signed for a PrivateMessage')
  }
  const { sender, contentType, authenticatedData } = content
  if (sender.senderType !== SenderType.member || sender.leafIndex !== secretTree.ownLeaf) {
    throw new MlsError('message-sender-not-allowed', 'a PrivateMessage comes from our own leaf')
  }
  const head = { groupId: content.groupId, epoch: content.epoch, contentType, authenticatedData }
  const plaintext = encodePadded(content, auth, padding)
  const reuseGuard = crypto.random(4)
  const messageKey = secretTree.next(ratchetOf(contentType))
  const { generation } = messageKey
  const ciphertext = await seal(
    crypto,
    guarded(messageKey, reuseGuard),
    encode(PrivateContentAad, head),
    plaintext,
  )
  const encryptedSenderData = await seal(
    crypto,
    deriveSenderDataKey(crypto, senderDataSecret, ciphertext),
    encode(SenderDataAad, head),
    encode(SenderData, { leafIndex: sender.leafIndex, generation, reuseGuard }),
  )
  return { ...head, encryptedSenderData, ciphertext }
}

/**
 * RFC 9420 §6.3, up to the signature, which the caller verifies before it accepts or refuses. That
 * the message is for the group and epoch of `secrets` has been checked. Whatever fails has changed
 * nothing.
 * @throws CodecError, or MlsError `message-undecryptable`, `message-sender-unknown` for a leaf that
 * is blank or beyond the tree, `message-own` for one that names our leaf, which any member could,
 * `message-key-consumed` for a generation that was used or is no longer kept,
 * `message-generation-too-far`, `message-padding-invalid`
 */
export async function unprotectPrivate(
  crypto: SecretSuite,
  { senderDataSecret, secretTree }: MessageSecrets,
  message: PrivateMessage,
  tree: PublicTree,
): Promise<OpenedPrivateMessage> {
  const { contentType, ciphertext } = message
  const { leafIndex, generation, reuseGuard } = decode(
    SenderData,
    await open(
      crypto,
      deriveSenderDataKey(crypto, senderDataSecret, ciphertext),
      encode(SenderDataAad, message),
      message.encryptedSenderData,
    ),
  )
  if (tree.leafNode(leafIndex) === undefined) {
    throw new MlsError('message-sender-unknown', `nobody is at leaf ${leafIndex}`)
  }
  const opening = secretTree.open(leafIndex, ratchetOf(contentType), generation)
  try {
    const plaintext = await open(
      crypto,
      guarded(opening.key, reuseGuard),
      encode(PrivateContentAad, message),
      ciphertext,
    )
    const { auth, padding, ...body } = decode(privateMessageContent(contentType), plaintext)
    checkPadding(padding)
    const { groupId, epoch, authenticatedData } = message
    const sender = { senderType: SenderType.member, leafIndex }
    return {
      authenticated: {
        wireFormat: WireFormat.privateMessage,
        content: { groupId, epoch, sender, authenticatedData, ...body },
        auth,
      },
      generation,
      accept: opening.accept,
      refuse: opening.refuse,
    }
  } catch (error) {
    opening.refuse()
    throw error
  }
}

/** §6.3.2: keyed with a sample of what it goes with. */
export function deriveSenderDataKey(
  crypto: SecretSuite,
  senderDataSecret: Secret,
  ciphertext: Bytes,
): KeyAndNonce {
  const { Nh, Nk, Nn } = crypto.suite
  const sample = ciphertext.slice(0, Nh)
  return {
    key: expandWithLabel(crypto, senderDataSecret, 'key', sample, Nk),
    nonce: expandWithLabel(crypto, senderDataSecret, 'nonce', sample, Nn),
  }
}

function ratchetOf(contentType: ContentType): RatchetType {
  return contentType === ContentType.application ? 'application' : 'handshake'
}

/** §6.3.1: XORs the reuse guard into the nonce of a key that is used once. */
function guarded(pair: KeyAndNonce, reuseGuard: Bytes): KeyAndNonce {
  const nonce = pair.nonce.expose()
  for (const [i, byte] of reuseGuard.entries()) nonce[i] = (nonce[i] as number) ^ byte
  return pair
}

/** Wipes the key. */
async function seal(
  crypto: SecretSuite,
  pair: KeyAndNonce,
  aad: Bytes,
  plaintext: Bytes,
): Promise<Bytes> {
  try {
    return await crypto.aeadSeal(pair.key, pair.nonce.expose(), aad, plaintext)
  } finally {
    wipeKey(pair)
  }
}

/**
 * Wipes the key.
 * @throws MlsError `message-undecryptable`
 */
async function open(
  crypto: SecretSuite,
  pair: KeyAndNonce,
  aad: Bytes,
  ciphertext: Bytes,
): Promise<Bytes> {
  try {
    return await crypto.aeadOpen(pair.key, pair.nonce.expose(), aad, ciphertext)
  } catch (cause) {
    if (!(cause instanceof CryptoError) || cause.code !== 'crypto-open-failed') throw cause
    throw new MlsError('message-undecryptable', 'no member of this epoch made the message', {
      cause,
    })
  } finally {
    wipeKey(pair)
  }
}

function encodePadded(
  content: FramedContent,
  auth: FramedContentAuthData,
  padding: Padding,
): Bytes {
  const codec = privateMessageContent(content.contentType)
  const bare = encode(codec, { ...content, auth, padding: emptyBytes })
  const padded = new Uint8Array(bare.length + paddingLength(padding, bare.length))
  padded.set(bare)
  return padded
}

function checkPadding(padding: Bytes): void {
  for (const byte of padding) {
    if (byte !== 0) throw new MlsError('message-padding-invalid', 'the padding is not zero')
  }
}
