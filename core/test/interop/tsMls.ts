import {
  acceptAll,
  bytesToBase64,
  type CiphersuiteImpl,
  type ClientConfig,
  type ClientState,
  createApplicationMessage,
  createCommit,
  createGroup,
  createGroupInfoWithExternalPub,
  createGroupInfoWithExternalPubAndRatchetTree,
  createProposal,
  decodeGroupState,
  decodeMlsMessage,
  defaultCapabilities,
  encodeGroupState,
  encodeMlsMessage,
  generateKeyPackageWithKey,
  type IncomingMessageCallback,
  joinGroup,
  joinGroupExternal,
  type KeyPackage,
  type LeafNodeUpdate,
  type MLSMessage,
  makePskIndex,
  mlsExporter,
  type PrivateKeyPackage,
  type Proposal,
  type ProposalWithSender,
  processPrivateMessage,
  processPublicMessage,
} from 'ts-mls'
import { defaultClientConfig } from 'ts-mls/clientConfig.js'
import { signWithLabel } from 'ts-mls/crypto/signature.js'
import { decodeKeyPackage, encodeKeyPackage } from 'ts-mls/keyPackage.js'
import { encodeLeafNodeTBS, type LeafNodeTBS } from 'ts-mls/leafNode.js'
import { decodeProposal } from 'ts-mls/proposal.js'
import { decodeRatchetTree, encodeRatchetTree } from 'ts-mls/ratchetTree.js'
import { type Bytes, fromHex, toHex, utf8 } from '../../src/codec/bytes.ts'
import { decode, encode, opaque } from '../../src/codec/tls.ts'
import type { OwnProposal } from '../../src/mls/group/index.ts'
import { Proposal as ProposalCodec } from '../../src/wire/index.ts'
import { ProposalType } from '../../src/wire/registry.ts'
import {
  type CommitPlan,
  type ExternalJoin,
  exporterLabel,
  type Framing,
  type Library,
  type MadeCommit,
  type Member,
  type OwnKeyPackage,
  type Person,
  type Received,
  type SharedKeys,
  type View,
} from './member.ts'

/** ts-mls 1.6.4 as it is, but for what its interface leaves to the application. */
export class TsMls implements Library<TsMlsMember> {
  readonly name = 'ts-mls'
  readonly suite: CiphersuiteImpl
  readonly config: ClientConfig = defaultClientConfig
  readonly shared: SharedKeys

  constructor(suite: CiphersuiteImpl, shared: SharedKeys) {
    this.suite = suite
    this.shared = shared
  }

  async keyPackage(person: Person): Promise<OwnKeyPackage> {
    const { publicPackage, privatePackage } = await this.#generate(person)
    return {
      person,
      keyPackage: bytes(encodeKeyPackage(publicPackage)),
      initKey: bytes(privatePackage.initPrivateKey),
      leafKey: bytes(privatePackage.hpkePrivateKey),
    }
  }

  async found(person: Person, groupId: Bytes): Promise<TsMlsMember> {
    const { publicPackage, privatePackage } = await this.#generate(person)
    return new TsMlsMember(
      this,
      await createGroup(groupId, publicPackage, privatePackage, [], this.suite, this.config),
    )
  }

  async join(
    welcome: Bytes,
    own: OwnKeyPackage,
    ratchetTree: Bytes | undefined,
  ): Promise<TsMlsMember> {
    const message = decoded(welcome)
    if (message.wireformat !== 'mls_welcome') throw new Error('not a Welcome')
    const state = await joinGroup(
      message.welcome,
      ...keysOf(own),
      this.psks(undefined),
      this.suite,
      ratchetTree && treeOf(ratchetTree),
      undefined,
      this.config,
    )
    return new TsMlsMember(this, state)
  }

  async joinExternally(person: Person, { groupInfo, ratchetTree, replaces }: ExternalJoin) {
    const message = decoded(groupInfo)
    if (message.wireformat !== 'mls_group_info') throw new Error('not a GroupInfo')
    const { publicPackage, privatePackage } = await this.#generate(person)
    const { publicMessage, newState } = await joinGroupExternal(
      message.groupInfo,
      publicPackage,
      privatePackage,
      replaces !== undefined,
      this.#readingExternalPub(),
      ratchetTree && treeOf(ratchetTree),
      this.config,
    )
    return {
      message: encoded({ version: 'mls10', wireformat: 'mls_public_message', publicMessage }),
      member: new TsMlsMember(this, newState),
    }
  }

  /*
   * ts-mls takes the data of an `external_pub` extension for the key, without the length that RFC
   * 9420 §12.4.3.2 puts before it (`tsMlsFails.test.ts`). The length is added and taken away here.
   */

  /** For a GroupInfo, whose only public key is `external_pub`. */
  writingExternalPub(): CiphersuiteImpl {
    const { hpke } = this.suite
    const exportPublicKey: typeof hpke.exportPublicKey = async (key) =>
      encode(opaque(), bytes(await hpke.exportPublicKey(key)))
    return { ...this.suite, hpke: { ...hpke, exportPublicKey } }
  }

  /** For an external join, whose first public key is `external_pub`. */
  #readingExternalPub(): CiphersuiteImpl {
    const { hpke } = this.suite
    let first = true
    const importPublicKey: typeof hpke.importPublicKey = (key) => {
      const wrapped = first
      first = false
      return hpke.importPublicKey(wrapped ? decode(opaque(), bytes(key)) : key)
    }
    return { ...this.suite, hpke: { ...hpke, importPublicKey } }
  }

  psks(state: ClientState | undefined) {
    const shared = [...this.shared].map(([id, key]) => [bytesToBase64(fromHex(id)), key])
    return makePskIndex(state, Object.fromEntries(shared))
  }

  #generate({ name, signatureKey, signaturePublicKey }: Person) {
    const now = BigInt(Math.floor(Date.now() / 1000))
    return generateKeyPackageWithKey(
      { credentialType: 'basic', identity: utf8(name) },
      // With GREASE.
      defaultCapabilities(),
      { notBefore: now - 3600n, notAfter: now + 3600n },
      [],
      { signKey: signatureKey, publicKey: signaturePublicKey },
      this.suite,
    )
  }
}

export class TsMlsMember implements Member {
  readonly library = 'ts-mls'
  readonly #client: TsMls
  /** Private keys of Updates that this member has proposed in this epoch, by public key. */
  #updates = new Map<string, Bytes>()
  state: ClientState

  constructor(client: TsMls, state: ClientState) {
    this.#client = client
    this.state = state
  }

  get leafIndex(): number {
    return this.state.privatePath.leafIndex
  }

  async view(): Promise<View> {
    const { groupContext, keySchedule, ratchetTree } = this.state
    const { suite } = this.#client
    const context = utf8('context')
    return {
      epoch: groupContext.epoch,
      treeHash: toHex(bytes(groupContext.treeHash)),
      confirmedTranscriptHash: toHex(bytes(groupContext.confirmedTranscriptHash)),
      epochAuthenticator: toHex(bytes(keySchedule.epochAuthenticator)),
      exported: toHex(
        bytes(await mlsExporter(keySchedule.exporterSecret, exporterLabel, context, 32, suite)),
      ),
      resumptionPsk: toHex(bytes(keySchedule.resumptionPsk)),
      members: ratchetTree.flatMap((node, i) =>
        node?.nodeType === 'leaf' ? [`${i / 2} ${toHex(bytes(node.leaf.signaturePublicKey))}`] : [],
      ),
    }
  }

  ratchetTree(): Bytes {
    return bytes(encodeRatchetTree(this.state.ratchetTree))
  }

  async groupInfo({ ratchetTree }: { readonly ratchetTree: boolean }): Promise<Bytes> {
    const make = ratchetTree
      ? createGroupInfoWithExternalPubAndRatchetTree
      : createGroupInfoWithExternalPub
    const groupInfo = await make(this.state, [], this.#client.writingExternalPub())
    return encoded({ version: 'mls10', wireformat: 'mls_group_info', groupInfo })
  }

  propose(proposal: OwnProposal, framing: Framing): Promise<Bytes> {
    return this.#propose(proposalOf(proposal), framing)
  }

  /** ts-mls makes no Updates and has no place for their private keys. */
  async proposeUpdate(framing: Framing): Promise<Bytes> {
    const { suite } = this.#client
    const { ratchetTree, groupContext, signaturePrivateKey } = this.state
    const node = ratchetTree[2 * this.leafIndex]
    if (node?.nodeType !== 'leaf') throw new Error('we have no leaf')
    const { signaturePublicKey, credential, capabilities, extensions } = node.leaf
    const key = await suite.hpke.generateKeyPair()
    const hpkePublicKey = await suite.hpke.exportPublicKey(key.publicKey)
    const content: LeafNodeTBS = {
      hpkePublicKey,
      signaturePublicKey,
      credential,
      capabilities,
      extensions,
      leafNodeSource: 'update',
      groupId: groupContext.groupId,
      leafIndex: this.leafIndex,
    }
    const signature = await signWithLabel(
      signaturePrivateKey,
      'LeafNodeTBS',
      encodeLeafNodeTBS(content),
      suite.signature,
    )
    const leafNode: LeafNodeUpdate = {
      hpkePublicKey,
      signaturePublicKey,
      credential,
      capabilities,
      extensions,
      leafNodeSource: 'update',
      signature,
    }
    const privateKey = bytes(await suite.hpke.exportPrivateKey(key.privateKey))
    this.#updates.set(toHex(bytes(hpkePublicKey)), privateKey)
    return this.#propose({ proposalType: 'update', update: { leafNode } }, framing)
  }

  async commit({
    proposals,
    encrypted,
    authenticatedData,
    ratchetTree,
  }: CommitPlan): Promise<MadeCommit> {
    const state = this.#committing(proposals)
    const { commit, welcome, newState } = await createCommit(
      { state, cipherSuite: this.#client.suite, pskIndex: this.#client.psks(state) },
      {
        wireAsPublicMessage: !encrypted,
        extraProposals: proposals.map(proposalOf),
        ratchetTreeExtension: ratchetTree,
        authenticatedData,
      },
    )
    return {
      message: encoded(commit),
      welcome: welcome && encoded({ version: 'mls10', wireformat: 'mls_welcome', welcome }),
      confirm: () => this.#enter(newState),
      discard: () => {},
    }
  }

  async receive(message: Bytes): Promise<Received> {
    const { suite } = this.#client
    const read = decoded(message)
    const before = this.#withOwnPath()
    const psks = this.#client.psks(before)
    let kind: 'proposal' | 'commit' = 'proposal'
    const callback: IncomingMessageCallback = (incoming) => {
      if (incoming.kind === 'commit') {
        kind = 'commit'
        this.#takeUpdate(before, incoming.proposals)
      }
      return acceptAll(incoming)
    }
    if (read.wireformat === 'mls_private_message') {
      const result = await processPrivateMessage(before, read.privateMessage, psks, suite, callback)
      if (result.kind === 'applicationMessage') {
        this.state = result.newState
        return { kind: 'application', data: bytes(result.message) }
      }
      return this.#follow(kind, result.newState)
    }
    if (read.wireformat !== 'mls_public_message') throw new Error('not a message to a group')
    const result = await processPublicMessage(before, read.publicMessage, psks, suite, callback)
    return this.#follow(kind, result.newState)
  }

  async protect(data: Bytes, authenticatedData: Bytes): Promise<Bytes> {
    const { newState, privateMessage } = await createApplicationMessage(
      this.state,
      data,
      this.#client.suite,
      authenticatedData,
    )
    this.state = newState
    return encoded({ version: 'mls10', wireformat: 'mls_private_message', privateMessage })
  }

  async restart(): Promise<void> {
    const stored = whole(decodeGroupState(encodeGroupState(this.state), 0))
    this.state = { ...stored, clientConfig: this.state.clientConfig }
  }

  async #propose(proposal: Proposal, { encrypted, authenticatedData }: Framing): Promise<Bytes> {
    const { message, newState } = await createProposal(
      this.state,
      !encrypted,
      proposal,
      this.#client.suite,
      authenticatedData,
    )
    this.state = newState
    return encoded(message)
  }

  #follow(kind: 'proposal' | 'commit', state: ClientState): Received {
    if (kind === 'proposal') {
      this.state = state
      return { kind }
    }
    this.#enter(state)
    return { kind: state.groupActiveState.kind === 'removedFromGroup' ? 'removed' : 'commit' }
  }

  #enter(state: ClientState): void {
    this.state = state
    this.#updates.clear()
  }

  /** A copy whose private keys can change while a commit is processed. */
  #withOwnPath(): ClientState {
    const { privatePath } = this.state
    return {
      ...this.state,
      privatePath: { ...privatePath, privateKeys: { ...privatePath.privateKeys } },
    }
  }

  /** An own Update takes effect before the path of the commit, which may be sealed to its key. */
  #takeUpdate(state: ClientState, proposals: readonly ProposalWithSender[]): void {
    for (const { proposal, senderLeafIndex } of proposals) {
      if (proposal.proposalType !== 'update' || senderLeafIndex !== this.leafIndex) continue
      const key = this.#updates.get(toHex(bytes(proposal.update.leafNode.hpkePublicKey)))
      if (key !== undefined) state.privatePath.privateKeys[2 * this.leafIndex] = key
    }
  }

  /**
   * ts-mls commits every proposal that it has and fails where they do not fit together, so that
   * the application has to choose as RFC 9420 §12.2 says: for each leaf but its own one Remove or
   * else the newest Update.
   */
  #committing(byValue: readonly OwnProposal[]): ClientState {
    const ofLeaf = new Map(
      byValue.flatMap((proposal) =>
        proposal.proposalType === ProposalType.remove ? [[proposal.removed as number, '']] : [],
      ),
    )
    const cached = Object.entries(this.state.unappliedProposals)
    for (const [ref, { proposal }] of cached) {
      if (proposal.proposalType === 'remove' && !ofLeaf.has(proposal.remove.removed)) {
        ofLeaf.set(proposal.remove.removed, ref)
      }
    }
    for (const [ref, { proposal, senderLeafIndex = -1 }] of cached.toReversed()) {
      const isUpdate = proposal.proposalType === 'update'
      if (isUpdate && !ofLeaf.has(senderLeafIndex)) ofLeaf.set(senderLeafIndex, ref)
    }
    ofLeaf.delete(this.leafIndex)
    const chosen = new Set(ofLeaf.values())
    const committable = cached.filter(([ref, { proposal }]) => {
      const concernsLeaf = proposal.proposalType === 'update' || proposal.proposalType === 'remove'
      return !concernsLeaf || chosen.has(ref)
    })
    return { ...this.state, unappliedProposals: Object.fromEntries(committable) }
  }
}

function proposalOf(proposal: OwnProposal): Proposal {
  return whole(decodeProposal(encode(ProposalCodec, proposal), 0))
}

export function keysOf({
  person,
  keyPackage,
  initKey,
  leafKey,
}: OwnKeyPackage): [KeyPackage, PrivateKeyPackage] {
  return [
    whole(decodeKeyPackage(keyPackage, 0)),
    {
      initPrivateKey: initKey,
      hpkePrivateKey: leafKey,
      signaturePrivateKey: person.signatureKey,
    },
  ]
}

export function treeOf(encodedTree: Bytes) {
  return whole(decodeRatchetTree(encodedTree, 0))
}

export function decoded(message: Bytes): MLSMessage {
  return whole(decodeMlsMessage(message, 0))
}

export function encoded(message: MLSMessage): Bytes {
  return bytes(encodeMlsMessage(message))
}

function whole<T>(result: [T, number] | undefined): T {
  if (result === undefined) throw new Error('ts-mls cannot decode it')
  return result[0]
}

function bytes(value: Uint8Array): Bytes {
  return new Uint8Array(value)
}
