import { emptyBytes, encode, utf8 } from '@conclave/core/codec'
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

/**
 * The keyserver's one signature: a Remove proposal from the group's external sender 0 (RFC 9420
 * §12.1.8). Nothing else can be had from it, and its key cannot be taken out.
 */
export interface RemovalSigner {
  /** What founders put into `external_senders`. */
  readonly externalSender: ExternalSender
  signRemoval(group: GroupContext, removed: LeafIndex): Promise<PublicMessage>
}

const algorithm = { name: 'Ed25519' }
const externalSenderIndex = 0

/** A signer with a fresh key that exists in this process alone. */
export async function generateRemovalSigner(subtle: SubtleCrypto): Promise<RemovalSigner> {
  const pair = await subtle.generateKey(algorithm, false, ['sign', 'verify'])
  if (!('privateKey' in pair)) throw new TypeError('Ed25519 keys come in pairs')
  const signatureKey = new Uint8Array(await subtle.exportKey('raw', pair.publicKey))
  const identity = utf8('conclave keyserver')
  return {
    externalSender: {
      signatureKey,
      credential: { credentialType: CredentialType.basic, identity },
    },
    async signRemoval(group, removed) {
      const content: FramedContent = {
        groupId: group.groupId,
        epoch: group.epoch,
        sender: { senderType: SenderType.external, senderIndex: externalSenderIndex },
        authenticatedData: emptyBytes,
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
