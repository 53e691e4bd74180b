import { type Bytes, emptyBytes, utf8 } from '../../src/codec/bytes.ts'
import { encode } from '../../src/codec/tls.ts'
import { Secret, type SecretSuite, type Signer } from '../../src/crypto/secret/index.ts'
import { verifyContentSignature } from '../../src/mls/public/contentSignature.ts'
import { noPadding, type Padding } from '../../src/mls/treedem/padding.ts'
import {
  deriveSenderDataKey,
  type MessageSecrets,
  type OpenedPrivateMessage,
  protectPrivate,
  unprotectPrivate,
} from '../../src/mls/treedem/privateMessage.ts'
import type { RatchetLimits } from '../../src/mls/treedem/ratchet.ts'
import { type RatchetType, SecretTree } from '../../src/mls/treedem/secretTree.ts'
import { signFramedContent } from '../../src/mls/treedem/signFramedContent.ts'
import { PublicTree } from '../../src/mls/treesync/publicTree.ts'
import {
  type AuthenticatedContent,
  type FramedContent,
  type GroupContext,
  type LeafIndex,
  type LeafNode,
  PrivateContentAad,
  type PrivateMessage,
  SenderData,
  SenderDataAad,
} from '../../src/wire/index.ts'
import {
  ContentType,
  CredentialType,
  LeafNodeSource,
  ProtocolVersion,
  SenderType,
  WireFormat,
} from '../../src/wire/registry.ts'
import { suite } from './testCrypto.ts'

export type Body =
  | Pick<Extract<FramedContent, { contentType: 1 }>, 'contentType' | 'applicationData'>
  | Pick<Extract<FramedContent, { contentType: 2 }>, 'contentType' | 'proposal'>
  | Pick<Extract<FramedContent, { contentType: 3 }>, 'contentType' | 'commit'>

export interface PrivateGroupOptions {
  readonly crypto?: SecretSuite
  /** Members in leaves 0, 1, …; the leaves up to the next power of two are blank. */
  readonly size?: number
  readonly epoch?: bigint
  readonly limits?: RatchetLimits
}

export const leafAt = (index: number) => index as LeafIndex
export const text = (words: string): Body => ({
  contentType: ContentType.application,
  applicationData: utf8(words),
})

/**
 * As much of an epoch as PrivateMessages need: who is at which leaf, and what each member holds of
 * the epoch's secrets.
 */
export class PrivateGroup {
  readonly crypto: SecretSuite
  readonly context: GroupContext
  readonly tree: PublicTree
  readonly #signers: readonly Signer[]
  readonly #limits: RatchetLimits | undefined
  readonly #encryptionSecret: Secret
  readonly #senderDataSecret: Secret
  readonly #members = new Map<number, MessageSecrets>()

  private constructor(
    crypto: SecretSuite,
    signers: readonly Signer[],
    { epoch = 7n, limits }: PrivateGroupOptions,
  ) {
    this.crypto = crypto
    this.#signers = signers
    this.#limits = limits
    const [first = emptyBytes, ...others] = signers.map(({ publicKey }) => publicKey)
    this.tree = others.reduce(
      (tree, key) => tree.withAddedLeaf(leafNode(key)).tree,
      PublicTree.ofFounder(leafNode(first)),
    )
    this.context = {
      version: ProtocolVersion.mls10,
      cipherSuite: crypto.suite.id,
      groupId: utf8('group'),
      epoch,
      treeHash: emptyBytes,
      confirmedTranscriptHash: emptyBytes,
      extensions: [],
    }
    this.#encryptionSecret = new Secret(crypto.random(crypto.suite.Nh))
    this.#senderDataSecret = new Secret(crypto.random(crypto.suite.Nh))
  }

  static async create(options: PrivateGroupOptions = {}): Promise<PrivateGroup> {
    const { crypto = suite(), size = 3 } = options
    const signers = Array.from({ length: size }, () => crypto.generateSigner())
    return new PrivateGroup(crypto, await Promise.all(signers), options)
  }

  /** What the member at `leaf` holds. */
  at(leaf: number): MessageSecrets {
    const known = this.#members.get(leaf)
    if (known !== undefined) return known
    const fresh = this.secretsFor(leaf, this.#limits)
    this.#members.set(leaf, fresh)
    return fresh
  }

  /** What a member that has neither sent nor received anything holds. */
  secretsFor(leaf: number, limits?: RatchetLimits): MessageSecrets {
    const shape = { leafCount: this.tree.leafCount, ownLeaf: leafAt(leaf) }
    const secret = this.#encryptionSecret.copy()
    const secretTree = SecretTree.create(this.crypto, secret, shape, limits)
    return { senderDataSecret: this.#senderDataSecret, secretTree }
  }

  signer(leaf: number): Signer {
    const signer = this.#signers[leaf]
    if (signer === undefined) throw new Error(`nobody is at leaf ${leaf}`)
    return signer
  }

  /** `body` in the name of `leaf`, signed by whoever is at `signedBy`. */
  async sign(leaf: number, body: Body, signedBy = leaf): Promise<AuthenticatedContent> {
    const wireFormat = WireFormat.privateMessage
    const content: FramedContent = {
      groupId: this.context.groupId,
      epoch: this.context.epoch,
      sender: { senderType: SenderType.member, leafIndex: leafAt(leaf) },
      authenticatedData: utf8('authenticated'),
      ...body,
    }
    const signer = this.signer(signedBy)
    const signature = await signFramedContent(signer, wireFormat, content, this.context)
    const confirmationTag = new Uint8Array(this.crypto.suite.Nh)
    const isCommit = body.contentType === ContentType.commit
    return { wireFormat, content, auth: { signature, ...(isCommit ? { confirmationTag } : {}) } }
  }

  async send(leaf: number, body: Body, padding: Padding = noPadding): Promise<PrivateMessage> {
    return protectPrivate(this.crypto, this.at(leaf), await this.sign(leaf, body), padding)
  }

  unprotect(leaf: number, message: PrivateMessage): Promise<OpenedPrivateMessage> {
    return this.unprotectWith(this.at(leaf), message)
  }

  unprotectWith(secrets: MessageSecrets, message: PrivateMessage): Promise<OpenedPrivateMessage> {
    return unprotectPrivate(this.crypto, secrets, message, this.tree)
  }

  receive(leaf: number, message: PrivateMessage): Promise<FramedContent> {
    return this.receiveWith(this.at(leaf), message)
  }

  /** Opens as a group does: the signature decides whether the key is used up. */
  async receiveWith(secrets: MessageSecrets, message: PrivateMessage): Promise<FramedContent> {
    const opened = await this.unprotectWith(secrets, message)
    try {
      await verifyContentSignature(this.crypto, opened.authenticated, this.context, this.tree)
    } catch (error) {
      opened.refuse()
      throw error
    }
    opened.accept()
    return opened.authenticated.content
  }

  state(leaf: number): Bytes {
    return this.at(leaf).secretTree.encodeState().expose()
  }

  /**
   * What a member that writes its own software can send: it knows every key of the epoch, so any
   * plaintext goes out under any leaf and generation.
   */
  async forge({
    plaintext,
    leaf,
    generation = 0,
    contentType = ContentType.application,
    authenticatedData = utf8('authenticated'),
    senderData = (honest) => honest,
  }: {
    readonly plaintext: Bytes
    /** Whose key is used. */
    readonly leaf: number
    readonly generation?: number
    readonly contentType?: ContentType
    readonly authenticatedData?: Bytes
    /** What the sender data says instead. */
    readonly senderData?: (honest: Bytes) => Bytes
  }): Promise<PrivateMessage> {
    const { crypto, context } = this
    const type: RatchetType = contentType === ContentType.application ? 'application' : 'handshake'
    const outsider = this.secretsFor(leaf === 0 ? 1 : 0, {
      maxForwardGenerations: 2 ** 20,
      maxKeptKeys: 0,
    })
    const { key, nonce } = outsider.secretTree.open(leafAt(leaf), type, generation).key
    const { groupId, epoch } = context
    const head = { groupId, epoch, contentType, authenticatedData }
    const aad = encode(PrivateContentAad, head)
    const ciphertext = await crypto.aeadSeal(key, nonce.expose(), aad, plaintext)
    const reuseGuard = new Uint8Array(4)
    const honest = encode(SenderData, { leafIndex: leafAt(leaf), generation, reuseGuard })
    return { ...head, ...(await this.sealSenderData(head, ciphertext, senderData(honest))) }
  }

  /** `senderData` under the key that belongs to `ciphertext`. */
  async sealSenderData(
    head: Pick<PrivateMessage, 'groupId' | 'epoch' | 'contentType'>,
    ciphertext: Bytes,
    senderData: Bytes,
  ): Promise<Pick<PrivateMessage, 'encryptedSenderData' | 'ciphertext'>> {
    const sealing = deriveSenderDataKey(this.crypto, this.#senderDataSecret, ciphertext)
    const encryptedSenderData = await this.crypto.aeadSeal(
      sealing.key,
      sealing.nonce.expose(),
      encode(SenderDataAad, head),
      senderData,
    )
    return { encryptedSenderData, ciphertext }
  }
}

/** The bytes of `part` somewhere in `whole`. */
export function contains(whole: Bytes, part: Bytes): boolean {
  return Buffer.from(whole).includes(Buffer.from(part))
}

function leafNode(signatureKey: Bytes): LeafNode {
  return {
    encryptionKey: emptyBytes,
    signatureKey,
    credential: { credentialType: CredentialType.basic, identity: emptyBytes },
    capabilities: {
      versions: [],
      cipherSuites: [],
      extensions: [],
      proposals: [],
      credentials: [],
    },
    leafNodeSource: LeafNodeSource.update,
    extensions: [],
    signature: emptyBytes,
  }
}
