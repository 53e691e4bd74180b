import { type Bytes, emptyBytes, encode, utf8 } from '@conclave/core/codec'
import { signContent } from '@conclave/core/crypto/public'
import {
  ContentType,
  CredentialType,
  type ExternalSender,
  type FramedContent,
  FramedContentTbs,
  type GroupContext,
  type LeafIndex,
  ProposalType,
  ProtocolVersion,
  type PublicMessage,
  SenderType,
  WireFormat,
} from '@conclave/core/wire'
import type { Store } from './store/store.ts'

/**
 * The keyserver's one signature: a Remove proposal from the group's external sender 0 (RFC 9420
 * §12.1.8). Nothing else can be had from it, and its key cannot be taken out.
 */
export interface RemovalSigner {
  /** What founders put into `external_senders`. */
  readonly externalSender: ExternalSender
  /** @param envelope its authenticated_data, a RemovalEnvelope; none where left out */
  signRemoval(group: GroupContext, removed: LeafIndex, envelope?: Bytes): Promise<PublicMessage>
}

const algorithm = { name: 'Ed25519' }
const externalSenderIndex = 0

/** A signer with a fresh key that exists in this process alone. */
export async function generateRemovalSigner(subtle: SubtleCrypto): Promise<RemovalSigner> {
  const pair = await generatePair(subtle, false)
  return signerWith(subtle, pair)
}

/**
 * The signer that all instances of a store have in common: a group lists one external sender, and
 * any instance may have to remove somebody. Whoever can read the store can propose removals, and
 * nothing else by that.
 */
export async function commonRemovalSigner(
  subtle: SubtleCrypto,
  store: Pick<Store, 'agree'>,
): Promise<RemovalSigner> {
  const { privateKey } = await generatePair(subtle, true)
  const proposed = new Uint8Array(await subtle.exportKey('pkcs8', privateKey))
  return await importRemovalSigner(subtle, await store.agree('removal-key', proposed))
}

/**
 * A signer with a key that was made elsewhere.
 * @param pkcs8 an Ed25519 private key
 */
export async function importRemovalSigner(
  subtle: SubtleCrypto,
  pkcs8: Bytes,
): Promise<RemovalSigner> {
  // WebCrypto tells the public half of an extractable key alone; the one that signs is none.
  const extractable = await subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign'])
  const { kty, crv, x } = await subtle.exportKey('jwk', extractable)
  if (kty === undefined || crv === undefined || x === undefined) {
    throw new TypeError('an Ed25519 private key has its public half')
  }
  return signerWith(subtle, {
    publicKey: await subtle.importKey('jwk', { kty, crv, x }, algorithm, true, ['verify']),
    privateKey: await subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']),
  })
}

async function generatePair(subtle: SubtleCrypto, extractable: boolean): Promise<CryptoKeyPair> {
  const pair = await subtle.generateKey(algorithm, extractable, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new TypeError('Ed25519 keys come in pairs')
  return pair
}

async function signerWith(subtle: SubtleCrypto, pair: CryptoKeyPair): Promise<RemovalSigner> {
  const signatureKey = new Uint8Array(await subtle.exportKey('raw', pair.publicKey))
  const identity = utf8('conclave keyserver')
  return {
    externalSender: {
      signatureKey,
      credential: { credentialType: CredentialType.basic, identity },
    },
    async signRemoval(group, removed, envelope = emptyBytes) {
      const content: FramedContent = {
        groupId: group.groupId,
        epoch: group.epoch,
        sender: { senderType: SenderType.external, senderIndex: externalSenderIndex },
        authenticatedData: envelope,
        contentType: ContentType.proposal,
        proposal: { proposalType: ProposalType.remove, removed },
      }
      const signed = encode(FramedContentTbs, {
        version: ProtocolVersion.mls10,
        wireFormat: WireFormat.publicMessage,
        content,
        context: group,
      })
      const message = signContent('FramedContentTBS', signed)
      const signature = new Uint8Array(await subtle.sign(algorithm, pair.privateKey, message))
      return { content, auth: { signature } }
    },
  }
}
