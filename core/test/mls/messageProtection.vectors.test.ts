import { expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/codec/bytes.ts'
import { type Codec, decode, encode } from '../../src/codec/tls.ts'
import { Secret, type Signer, signWithLabel } from '../../src/crypto/secret/index.ts'
import {
  framedContentLabel,
  framedContentTbs,
  verifyContentSignature,
} from '../../src/mls/public/contentSignature.ts'
import {
  membershipTag,
  protectPublic,
  unprotectPublic,
} from '../../src/mls/treedem/publicMessage.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import {
  type AuthenticatedContent,
  Commit,
  type FramedContent,
  FramedContentTbs,
  type GroupContext,
  type LeafIndex,
  type LeafNode,
  MlsMessage,
  Proposal,
  type PublicMessage,
} from '../../src/wire/index.ts'
import {
  ContentType,
  CredentialType,
  LeafNodeSource,
  ProtocolVersion,
  SenderType,
  WireFormat,
} from '../../src/wire/registry.ts'
import { describeVector } from '../vectors.ts'
import { implemented, suite } from './testCrypto.ts'

interface MessageProtectionVector {
  cipher_suite: number
  group_id: string
  epoch: number
  tree_hash: string
  confirmed_transcript_hash: string
  signature_priv: string
  signature_pub: string
  membership_key: string
  proposal: string
  proposal_pub: string
  commit: string
  commit_pub: string
  application: string
}

const empty = new Uint8Array(0)

describeVector<MessageProtectionVector[]>('mls/message-protection.json', (vectors) => {
  it.each(implemented(vectors))(
    'suite $cipher_suite verifies a PublicMessage with a proposal or a commit',
    async (vector) => {
      const { context, open } = await partiesOf(vector)
      const proposal = await open(publicMessageIn(vector.proposal_pub))
      if (proposal.content.contentType !== ContentType.proposal) throw new Error('not a proposal')
      expect(encoded(Proposal, proposal.content.proposal)).toBe(vector.proposal)
      const commit = await open(publicMessageIn(vector.commit_pub))
      if (commit.content.contentType !== ContentType.commit) throw new Error('not a commit')
      expect(encoded(Commit, commit.content.commit)).toBe(vector.commit)
      expect(commit.content.groupId).toEqual(context.groupId)
    },
  )

  it.each(implemented(vectors))(
    'suite $cipher_suite protects a proposal or a commit so that it verifies again',
    async (vector) => {
      const { frame, protect, open } = await partiesOf(vector)
      const contents: FramedContent[] = [
        frame({
          contentType: ContentType.proposal,
          proposal: decode(Proposal, fromHex(vector.proposal)),
        }),
        frame({ contentType: ContentType.commit, commit: decode(Commit, fromHex(vector.commit)) }),
      ]
      for (const content of contents) {
        const reread = publicMessageIn(toHex(await protect(content)))
        expect((await open(reread)).content).toEqual(content)
      }
    },
  )

  it.each(implemented(vectors))(
    'suite $cipher_suite refuses a PublicMessage whose tag or signature was touched',
    async (vector) => {
      const { open } = await partiesOf(vector)
      const message = publicMessageIn(vector.proposal_pub)
      const { membershipTag: tag = empty, auth } = message
      await expect(open({ ...message, membershipTag: touched(tag) })).rejects.toEqual(
        expect.objectContaining({ code: 'message-membership-tag-invalid' }),
      )
      // The membership tag covers the signature, so a member's forgery carries a good tag.
      const { retag } = await partiesOf(vector)
      const forged = { ...message, auth: { ...auth, signature: touched(auth.signature) } }
      await expect(open(forged)).rejects.toEqual(
        expect.objectContaining({ code: 'message-membership-tag-invalid' }),
      )
      await expect(open(retag(forged))).rejects.toEqual(
        expect.objectContaining({ code: 'message-signature-invalid' }),
      )
    },
  )

  it.each(implemented(vectors))(
    'suite $cipher_suite refuses application data as a PublicMessage, both ways',
    async (vector) => {
      const { frame, protect, sign, open, retag } = await partiesOf(vector)
      const content = frame({
        contentType: ContentType.application,
        applicationData: fromHex(vector.application),
      })
      const refusal = expect.objectContaining({ code: 'message-wire-format-unexpected' })
      await expect(protect(content)).rejects.toEqual(refusal)
      const forged = retag({ content, auth: { signature: await sign(content) } })
      await expect(open(forged)).rejects.toEqual(refusal)
    },
  )
})

type Body =
  | Pick<Extract<FramedContent, { contentType: 1 }>, 'contentType' | 'applicationData'>
  | Pick<Extract<FramedContent, { contentType: 2 }>, 'contentType' | 'proposal'>
  | Pick<Extract<FramedContent, { contentType: 3 }>, 'contentType' | 'commit'>

/** The vector's member at leaf 1 as a sender, and anybody who knows the group as a receiver. */
async function partiesOf(vector: MessageProtectionVector) {
  const crypto = suite(vector.cipher_suite)
  const context: GroupContext = {
    version: ProtocolVersion.mls10,
    cipherSuite: vector.cipher_suite,
    groupId: fromHex(vector.group_id),
    epoch: BigInt(vector.epoch),
    treeHash: fromHex(vector.tree_hash),
    confirmedTranscriptHash: fromHex(vector.confirmed_transcript_hash),
    extensions: [],
  }
  const membershipKey = new Secret(fromHex(vector.membership_key))
  const signer: Signer = await crypto.importSigner(new Secret(fromHex(vector.signature_priv)))
  const tree = PublicTree.ofFounder(leafOf(empty)).withAddedLeaf(
    leafOf(fromHex(vector.signature_pub)),
  ).tree
  const wireFormat = WireFormat.publicMessage
  const sign = (content: FramedContent) =>
    signWithLabel(
      signer,
      framedContentLabel,
      encode(FramedContentTbs, framedContentTbs(wireFormat, content, context)),
    )
  return {
    context,
    sign,
    frame: (body: Body): FramedContent => ({
      groupId: context.groupId,
      epoch: context.epoch,
      sender: { senderType: SenderType.member, leafIndex: 1 as LeafIndex },
      authenticatedData: empty,
      ...body,
    }),
    protect: async (content: FramedContent) => {
      const isCommit = content.contentType === ContentType.commit
      const auth = {
        signature: await sign(content),
        ...(isCommit ? { confirmationTag: new Uint8Array(crypto.suite.Nh) } : {}),
      }
      const publicMessage = protectPublic(
        crypto,
        membershipKey,
        { wireFormat, content, auth },
        context,
      )
      return encode(MlsMessage, { version: ProtocolVersion.mls10, wireFormat, publicMessage })
    },
    /** What a member who writes its own software can send. */
    retag: ({ content, auth }: PublicMessage): PublicMessage => ({
      content,
      auth,
      membershipTag: membershipTag(crypto, membershipKey, { wireFormat, content, auth }, context),
    }),
    open: async (message: PublicMessage): Promise<AuthenticatedContent> => {
      const authenticated = unprotectPublic(crypto, membershipKey, message, context)
      await verifyContentSignature(crypto, authenticated, context, tree)
      return authenticated
    },
  }
}

function leafOf(signatureKey: Uint8Array<ArrayBuffer>): LeafNode {
  return {
    encryptionKey: empty,
    signatureKey,
    credential: { credentialType: CredentialType.basic, identity: empty },
    capabilities: {
      versions: [],
      cipherSuites: [],
      extensions: [],
      proposals: [],
      credentials: [],
    },
    leafNodeSource: LeafNodeSource.update,
    extensions: [],
    signature: empty,
  }
}

function publicMessageIn(hex: string): PublicMessage {
  const message = decode(MlsMessage, fromHex(hex))
  if (message.wireFormat !== WireFormat.publicMessage) throw new Error('not a PublicMessage')
  return message.publicMessage
}

function encoded<T>(codec: Codec<T>, value: T): string {
  return toHex(encode(codec, value))
}

function touched(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte))
}
