import { expect, it } from 'vitest'
import { fromHex, toHex } from '../../src/codec/bytes.ts'
import { type Codec, decode, encode } from '../../src/codec/tls.ts'
import { Secret, type Signer } from '../../src/crypto/secret/index.ts'
import { verifyContentSignature } from '../../src/mls/public/contentSignature.ts'
import { padToMultipleOf } from '../../src/mls/treedem/padding.ts'
import { protectPrivate, unprotectPrivate } from '../../src/mls/treedem/privateMessage.ts'
import {
  membershipTag,
  protectPublic,
  unprotectPublic,
} from '../../src/mls/treedem/publicMessage.ts'
import { SecretTree } from '../../src/mls/treedem/secretTree.ts'
import { signFramedContent } from '../../src/mls/treedem/signFramedContent.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import {
  type AuthenticatedContent,
  Commit,
  type FramedContent,
  type GroupContext,
  type LeafIndex,
  type LeafNode,
  MlsMessage,
  type PrivateMessage,
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
import { implemented, suite, vectorKey } from './testCrypto.ts'

interface MessageProtectionVector {
  cipher_suite: number
  group_id: string
  epoch: number
  tree_hash: string
  confirmed_transcript_hash: string
  signature_priv: string
  signature_pub: string
  encryption_secret: string
  sender_data_secret: string
  membership_key: string
  proposal: string
  proposal_pub: string
  proposal_priv: string
  commit: string
  commit_pub: string
  commit_priv: string
  application: string
  application_priv: string
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
      for (const content of contentsOf(vector).slice(0, 2).map(frame)) {
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

  it.each(implemented(vectors))(
    'suite $cipher_suite opens a PrivateMessage with a proposal, a commit or application data',
    async (vector) => {
      // All are of generation 0, so each needs a receiver that has opened nothing.
      const openFirst = async (message: string) =>
        (await partiesOf(vector)).openPrivate(privateMessageIn(message))
      const proposal = await openFirst(vector.proposal_priv)
      if (proposal.contentType !== ContentType.proposal) throw new Error('not a proposal')
      expect(encoded(Proposal, proposal.proposal)).toBe(vector.proposal)
      const commit = await openFirst(vector.commit_priv)
      if (commit.contentType !== ContentType.commit) throw new Error('not a commit')
      expect(encoded(Commit, commit.commit)).toBe(vector.commit)
      const application = await openFirst(vector.application_priv)
      if (application.contentType !== ContentType.application) throw new Error('not application')
      expect(toHex(application.applicationData)).toBe(vector.application)
    },
  )

  it.each(implemented(vectors))(
    'suite $cipher_suite protects all three as PrivateMessages that open again',
    async (vector) => {
      const { frame, protectPrivate, openPrivate } = await partiesOf(vector)
      const contents = contentsOf(vector).map(frame)
      for (const content of [...contents, ...contents]) {
        const reread = privateMessageIn(toHex(await protectPrivate(content)))
        expect(await openPrivate(reread)).toEqual(content)
      }
    },
  )
})

type Body =
  | Pick<Extract<FramedContent, { contentType: 1 }>, 'contentType' | 'applicationData'>
  | Pick<Extract<FramedContent, { contentType: 2 }>, 'contentType' | 'proposal'>
  | Pick<Extract<FramedContent, { contentType: 3 }>, 'contentType' | 'commit'>

function contentsOf(vector: MessageProtectionVector): Body[] {
  return [
    { contentType: ContentType.proposal, proposal: decode(Proposal, fromHex(vector.proposal)) },
    { contentType: ContentType.commit, commit: decode(Commit, fromHex(vector.commit)) },
    { contentType: ContentType.application, applicationData: fromHex(vector.application) },
  ]
}

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
  const signer: Signer = await crypto.importSigner(vectorKey(crypto, vector.signature_priv))
  const tree = PublicTree.ofFounder(leafOf(empty)).withAddedLeaf(
    leafOf(fromHex(vector.signature_pub)),
  ).tree
  const wireFormat = WireFormat.publicMessage
  const sign = (content: FramedContent) => signFramedContent(signer, wireFormat, content, context)
  const secretsAt = (ownLeaf: number) => ({
    senderDataSecret: new Secret(fromHex(vector.sender_data_secret)),
    secretTree: SecretTree.create(crypto, new Secret(fromHex(vector.encryption_secret)), {
      leafCount: 2,
      ownLeaf: ownLeaf as LeafIndex,
    }),
  })
  const [receiver, sender] = [secretsAt(0), secretsAt(1)]
  const confirmation = ({ contentType }: FramedContent) =>
    contentType === ContentType.commit ? { confirmationTag: new Uint8Array(crypto.suite.Nh) } : {}
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
      const auth = { signature: await sign(content), ...confirmation(content) }
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
    protectPrivate: async (content: FramedContent) => {
      const wireFormat = WireFormat.privateMessage
      const signature = await signFramedContent(signer, wireFormat, content, context)
      const auth = { signature, ...confirmation(content) }
      const privateMessage = await protectPrivate(
        crypto,
        sender,
        { wireFormat, content, auth },
        padToMultipleOf(64),
      )
      return encode(MlsMessage, { version: ProtocolVersion.mls10, wireFormat, privateMessage })
    },
    openPrivate: async (message: PrivateMessage): Promise<FramedContent> => {
      const opened = await unprotectPrivate(crypto, receiver, message, tree)
      await verifyContentSignature(crypto, opened.authenticated, context, tree)
      opened.accept()
      return opened.authenticated.content
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

function privateMessageIn(hex: string): PrivateMessage {
  const message = decode(MlsMessage, fromHex(hex))
  if (message.wireFormat !== WireFormat.privateMessage) throw new Error('not a PrivateMessage')
  return message.privateMessage
}

function encoded<T>(codec: Codec<T>, value: T): string {
  return toHex(encode(codec, value))
}

function touched(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte))
}
