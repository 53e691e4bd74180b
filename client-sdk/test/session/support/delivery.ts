import { type Clock, ConclaveError, Lane } from '@conclave/core'
import {
  type Bytes,
  CodecError,
  decode,
  encode,
  equalBytes,
  fromUtf8,
  toHex,
} from '@conclave/core/codec'
import { makeKeyPackageRef, type PublicCrypto } from '@conclave/core/crypto/public'
import {
  type EntryStatusName,
  encodeRemovalEnvelope,
  encodeVoid,
  type LogEntry,
  type Refusal,
  type RemovalEnvelope,
  type ReplyTo,
  type RequestName,
  type RequestOf,
  type ServerNotices,
  unpackEntries,
  unpackRemovalWords,
  verifyEntryStatus,
  type WaitingJoiner,
} from '@conclave/core/delivery'
import { meetingPolicy } from '@conclave/core/meeting'
import { PublicGroup } from '@conclave/core/mls/public'
import {
  ContentType,
  CredentialType,
  ExternalSender,
  type LeafIndex,
  MlsMessage,
  ProtocolVersion,
  type PublicMessage,
  RatchetTree,
  SenderType,
  WireFormat,
} from '@conclave/core/wire'
import { generateRemovalSigner, type RemovalSigner } from '@conclave/keyserver'
import { SessionError, systemRandom } from '../../../src/index.ts'
import { counted } from './census.ts'
import { type AnyNotice, Port, refuse } from './port.ts'

type Handlers = {
  [N in RequestName]: (port: Port, request: RequestOf<N>) => Promise<ReplyTo<N>>
}
interface OrderedGroup {
  readonly groupId: Bytes
  readonly log: LogEntry[]
  readonly trees: Map<string, Bytes>
  readonly waiting: Map<string, { readonly joiner: WaitingJoiner; readonly port: Port }>
  readonly welcomes: Map<string, ServerNotices['welcome']>
  readonly present: Map<number, Port>
  /** The group after each entry, from the founding on. */
  readonly states: PublicGroup[]
  /** The GroupInfo of each epoch, and the entry that began it. */
  described: { readonly groupInfo: Bytes; readonly seq: number }[]
  /** Statuses of the commit at the log's end, by leaf. */
  readonly statuses: Map<number, { readonly status: EntryStatusName; readonly signature: Bytes }>
  public: PublicGroup
}

/**
 * The least that orders a meeting: honest towards everybody, but each client's way to it can be made
 * to lie. It removes nobody by itself and does not judge commits that stall a removal.
 */
export class TestDelivery {
  readonly meetingId = 'standup'
  /** 0 behaves as the first version did. */
  minor: 0 | 1 = 1
  /** Whether it lets newcomers commit themselves in, and so whether nobody has to wait for others. */
  describes = false
  readonly ports: Port[] = []
  group: OrderedGroup | undefined
  readonly #clock: Clock
  readonly #crypto: PublicCrypto
  readonly #signer: Promise<RemovalSigner>
  readonly #lane = new Lane()
  #grown = Promise.withResolvers<void>()

  constructor(clock: Clock, crypto: PublicCrypto) {
    this.#clock = clock
    this.#crypto = crypto
    this.#signer = counted(generateRemovalSigner(globalThis.crypto.subtle))
  }

  port(): Port {
    const port = new Port(this)
    this.ports.push(port)
    return port
  }

  handle<N extends RequestName>(port: Port, name: N, request: RequestOf<N>): Promise<ReplyTo<N>> {
    const handlers: Handlers = this.#handlers
    return this.#lane.run(() => handlers[name](port, request))
  }

  /** Puts anything at all on the log, for everybody. */
  append(message: Bytes): LogEntry {
    const group = this.#current()
    const entry = { seq: group.log.length + 1, message }
    group.log.push(entry)
    group.states.push(group.public)
    group.statuses.clear()
    this.#tell('entry', { groupId: group.groupId, entry })
    this.#grown.resolve()
    this.#grown = Promise.withResolvers()
    return entry
  }

  /** Settles with the next entry. */
  grown(): Promise<void> {
    return this.#grown.promise
  }

  /** The keyserver's own proposal. */
  async remove(leaf: number, envelope?: RemovalEnvelope): Promise<LogEntry> {
    return await this.#lane.run(() => this.#remove(leaf as LeafIndex, envelope))
  }

  async #remove(leaf: LeafIndex, envelope?: RemovalEnvelope): Promise<LogEntry> {
    const group = this.#current()
    const signer = await this.#signer
    const said = envelope && encodeRemovalEnvelope(envelope)
    const signing = signer.signRemoval(group.public.groupContext, leaf, said)
    const publicMessage = await counted(signing)
    group.public = (await group.public.withProposal(publicMessage)).group
    const wireFormat = WireFormat.publicMessage
    return this.append(
      encode(MlsMessage, { version: ProtocolVersion.mls10, wireFormat, publicMessage }),
    )
  }

  /** Ends the group, as if everybody had been gone. */
  end(): void {
    const { groupId } = this.#current()
    this.group = undefined
    for (const port of this.ports) {
      if (port.entered) port.deliver({ name: 'closed', notice: { groupId, reason: 'empty' } })
      port.entered = false
    }
  }

  /** Loses the newest entries, and all that came with them. */
  async lose(entries: number): Promise<void> {
    await this.#lane.run(async () => {
      const group = this.#current()
      group.log.length -= entries
      group.states.length -= entries
      group.described = group.described.filter(({ seq }) => seq <= group.log.length)
      group.public = group.states.at(-1) as PublicGroup
      group.present.clear()
    })
  }

  async forget(port: Port): Promise<void> {
    await this.#lane.run(async () => {
      if (this.group === undefined) return
      for (const [leaf, attached] of this.group.present) {
        if (attached === port) this.group.present.delete(leaf)
      }
      for (const [ref, { port: owner }] of this.group.waiting) {
        if (owner === port) this.group.waiting.delete(ref)
      }
      this.#tellState()
    })
  }

  readonly #handlers: Handlers = {
    enter: async (port, { meetingId }) => {
      if (port.entered) return refuse('already-entered')
      if (meetingId !== this.meetingId) return refuse('not-permitted')
      port.entered = true
      const { externalSender } = await this.#signer
      return {
        ok: true,
        group: this.#summary(),
        ...(this.minor === 0 ? {} : { minor: this.minor }),
        externalSender: encode(ExternalSender, externalSender),
        nonce: systemRandom(16),
      }
    },
    create: async (_, { groupInfo, ratchetTree }) => {
      const summary = this.#summary()
      if (summary !== null) return { ...refuse('meeting-exists'), group: summary }
      const message = decode(MlsMessage, groupInfo)
      if (message.wireFormat !== WireFormat.groupInfo) return refuse('message-invalid')
      const environment = {
        crypto: this.#crypto,
        policy: meetingPolicy({ meetingId: this.meetingId }),
        clock: this.#clock,
      }
      const tree = decode(RatchetTree, ratchetTree)
      const founded = await PublicGroup.open(environment, message.groupInfo, tree)
      this.group = {
        groupId: message.groupInfo.groupContext.groupId,
        log: [],
        trees: new Map([[toHex(message.groupInfo.groupContext.treeHash), ratchetTree]]),
        waiting: new Map(),
        welcomes: new Map(),
        present: new Map(),
        states: [founded],
        described: [{ groupInfo, seq: 0 }],
        statuses: new Map(),
        public: founded,
      }
      return { ok: true, seq: 0, durable: false }
    },
    wait: async (port, { groupId, keyPackage }) => {
      const group = this.#known(groupId)
      if (group === undefined) return refuse('group-unknown')
      const message = decode(MlsMessage, keyPackage)
      if (message.wireFormat !== WireFormat.keyPackage) return refuse('key-package-invalid')
      const ref = makeKeyPackageRef(group.public.crypto, message.keyPackage)
      const welcomed = group.welcomes.get(toHex(ref))
      if (welcomed !== undefined) {
        port.deliver({ name: 'welcome', notice: welcomed })
        return { ok: true, position: 0 }
      }
      for (const [other, { port: owner }] of group.waiting) {
        if (owner === port && other !== toHex(ref)) group.waiting.delete(other)
      }
      group.waiting.set(toHex(ref), { joiner: { ref, keyPackage }, port })
      this.#tellState()
      return { ok: true, position: [...group.waiting.keys()].indexOf(toHex(ref)) }
    },
    resume: async (_, { groupId, after }) => {
      const group = this.#known(groupId)
      if (group === undefined) return refuse('group-unknown')
      if (after > group.log.length) return refuse('seq-out-of-range')
      return {
        ok: true,
        entries: group.log.slice(after, after + 256),
        head: group.log.length,
        waiting: this.#joiners(),
        present: [...group.present.keys()],
      }
    },
    attach: async (port, { groupId, leafIndex }) => {
      const group = this.#known(groupId)
      if (group === undefined) return refuse('group-unknown')
      group.present.set(leafIndex, port)
      this.#tellState()
      return { ok: true, head: group.log.length }
    },
    propose: async (_, { groupId, message }) => {
      const group = this.#known(groupId)
      if (group === undefined) return refuse('group-unknown')
      const decoded = decode(MlsMessage, message)
      if (decoded.wireFormat !== WireFormat.publicMessage) return refuse('message-invalid')
      try {
        group.public = (await group.public.withProposal(decoded.publicMessage)).group
      } catch (error) {
        return invalid(error)
      }
      return { ok: true, seq: this.append(message).seq, durable: false }
    },
    commit: async (_, request) => {
      const group = this.#known(request.groupId)
      if (group === undefined) return refuse('group-unknown')
      return await this.#commit(group, request)
    },
    tree: async (_, { treeHash }) => {
      const ratchetTree = this.#current().trees.get(toHex(treeHash))
      return ratchetTree === undefined ? refuse('tree-unknown') : { ok: true, ratchetTree }
    },
    report: async (_, request) => {
      const group = this.#known(request.groupId)
      if (group === undefined) return refuse('group-unknown')
      return await this.#report(group, request)
    },
    giveBack: async (_, request) => {
      const group = this.#known(request.groupId)
      if (group === undefined) return refuse('group-unknown')
      if (request.after !== group.log.length) return refuse('entries-inapplicable')
      try {
        const restored = await followed(group.public, unpackEntries(request.entries))
        for (const { message, state } of restored) {
          group.public = state
          this.append(message)
        }
      } catch (error) {
        if (!(error instanceof ConclaveError)) throw error
        return { ...refuse('entries-inapplicable'), detail: error.code }
      }
      return { ok: true, head: group.log.length }
    },
    send: async (port, { groupId, message }) => {
      const group = this.#known(groupId)
      if (group === undefined) return refuse('group-unknown')
      if (![...group.present.values()].includes(port)) return refuse('presence-invalid')
      const sent = decode(MlsMessage, message)
      if (sent.wireFormat !== WireFormat.privateMessage) return refuse('message-invalid')
      const behind = group.public.groupContext.epoch - sent.privateMessage.epoch
      if (behind !== 0n && behind !== 1n) return refuse('epoch-mismatch')
      this.#tell('message', { groupId, message }, port)
      return { ok: true }
    },
    groupInfo: async (_, { groupId }) => {
      const group = this.#known(groupId)
      const described = group?.described.at(-1)
      if (described === undefined || !this.describes) return refuse('group-unknown')
      return { ok: true, ...described }
    },
    remove: async (_, { groupId, identity, leafIndex, words }) => {
      const group = this.#known(groupId)
      if (group === undefined) return refuse('group-unknown')
      const signed = unpackRemovalWords(words)
      const leaves = group.public.tree
        .members()
        .filter(({ leafNode: { credential } }) => {
          const named = credential.credentialType === CredentialType.basic
          return named && fromUtf8(credential.identity) === identity
        })
        .map((member) => member.leafIndex)
      for (const leaf of leaves) {
        const word = signed.find((each) => each.leafIndex === leaf)
        const requester = word && { leafIndex, signature: word.signature }
        await this.#remove(leaf, { reason: 'removed', requester })
      }
      return { ok: true, leaves }
    },
    // Sessions ask for none of these here.
    offer: async () => refuse('reinit-unknown'),
    offers: async () => refuse('reinit-unknown'),
    continue: async () => refuse('reinit-unknown'),
    publish: async () => refuse('request-malformed'),
    stock: async () => refuse('request-malformed'),
    claim: async () => refuse('request-malformed'),
    mailbox: async () => refuse('request-malformed'),
    collect: async () => refuse('request-malformed'),
  }

  async #commit(group: OrderedGroup, request: RequestOf<'commit'>): Promise<ReplyTo<'commit'>> {
    const { message, groupInfo, welcome, after } = request
    const won = group.log.find((entry) => equalBytes(entry.message, message))
    if (won !== undefined) return { ok: true, seq: won.seq, durable: false }
    const commit = decode(MlsMessage, message)
    const info = decode(MlsMessage, groupInfo)
    const welcoming = welcome === null ? undefined : decode(MlsMessage, welcome)
    if (commit.wireFormat !== WireFormat.publicMessage) return refuse('message-invalid')
    if (info.wireFormat !== WireFormat.groupInfo) return refuse('message-invalid')
    const { content, auth } = commit.publicMessage
    if (content.epoch !== group.public.groupContext.epoch) {
      return { ...refuse('epoch-mismatch'), missed: group.log.slice(after) }
    }
    if (content.contentType !== ContentType.commit) return refuse('message-invalid')
    let accepted: Awaited<ReturnType<PublicGroup['withCommit']>>
    try {
      accepted = await group.public.withCommit(
        { ...commit.publicMessage, content, auth },
        info.groupInfo,
        welcoming?.wireFormat === WireFormat.welcome ? welcoming.welcome : undefined,
      )
    } catch (error) {
      return invalid(error)
    }
    group.public = accepted.group
    const { tree, groupContext } = accepted.group
    group.trees.set(toHex(groupContext.treeHash), encode(RatchetTree, tree.toRatchetTree()))
    for (const leaf of accepted.removed) group.present.delete(leaf)
    const { seq } = this.append(message)
    group.described.push({ groupInfo, seq })
    const { groupId } = group
    for (const { keyPackageRef: ref } of accepted.added) {
      const waiting = group.waiting.get(toHex(ref))
      group.waiting.delete(toHex(ref))
      if (waiting === undefined || welcome === null) continue
      const notice = { groupId, ref, welcome, seq }
      group.welcomes.set(toHex(ref), notice)
      waiting.port.deliver({ name: 'welcome', notice })
    }
    this.#tellState()
    return { ok: true, seq, durable: false }
  }

  /** Undone where everybody who was there, but the committer, could not apply it. */
  async #report(group: OrderedGroup, request: RequestOf<'report'>): Promise<ReplyTo<'report'>> {
    const { seq, leafIndex, status, signature } = request
    const head = group.log.at(-1)
    const before = group.states.at(-2)
    const content = head && publicMessageIn(head.message)?.content
    if (head?.seq !== seq || before === undefined || content?.contentType !== ContentType.commit) {
      return refuse('status-invalid')
    }
    const { crypto } = group.public
    const { tree } = status === 'failed' ? before : group.public
    const signatureKey = tree.leafNode(leafIndex as LeafIndex)?.signatureKey
    const entryHash = crypto.hash(head.message)
    const claim = { groupId: group.groupId, seq, entryHash, leafIndex, status }
    const valid =
      signatureKey !== undefined &&
      (await verifyEntryStatus(crypto, signatureKey, claim, signature))
    if (!valid) return refuse('status-invalid')
    const { sender } = content
    const committer = sender.senderType === SenderType.member ? sender.leafIndex : undefined
    if (group.statuses.size === 0 && status === 'failed') {
      this.#tell('statusWanted', { groupId: group.groupId, seq })
    }
    group.statuses.set(leafIndex, { status, signature })
    const statuses = [...group.statuses].map(([leaf, given]) => ({ leafIndex: leaf, ...given }))
    if (statuses.some((given) => given.status === 'applied')) return { ok: true, outcome: 'stands' }
    const asked = [...group.present.keys()].filter(
      (leaf) => leaf !== committer && before.tree.leafNode(leaf as LeafIndex) !== undefined,
    )
    if (!asked.every((leaf) => group.statuses.has(leaf))) return { ok: true, outcome: 'collecting' }
    group.public = before
    group.described.pop()
    this.append(encodeVoid(seq, statuses))
    return { ok: true, outcome: 'voided' }
  }

  #tellState(): void {
    if (this.group === undefined) return
    const { groupId, present } = this.group
    this.#tell('waiting', { groupId, joiners: this.#joiners() })
    this.#tell('present', { groupId, leaves: [...present.keys()] })
  }

  #tell<N extends keyof ServerNotices>(name: N, notice: ServerNotices[N], from?: Port): void {
    for (const port of this.ports) {
      if (port.entered && port !== from) port.deliver({ name, notice } as AnyNotice)
    }
  }

  #joiners(): WaitingJoiner[] {
    return [...(this.group?.waiting.values() ?? [])].map(({ joiner }) => joiner)
  }

  #summary() {
    if (this.group === undefined) return null
    const { groupId, log, public: state } = this.group
    return { groupId, epoch: Number(state.groupContext.epoch), head: log.length }
  }

  #known(groupId: Bytes): OrderedGroup | undefined {
    return this.group && equalBytes(this.group.groupId, groupId) ? this.group : undefined
  }

  #current(): OrderedGroup {
    if (this.group === undefined) throw new Error('the meeting has no group')
    return this.group
  }
}

/** The group after each of these entries. */
async function followed(group: PublicGroup, entries: readonly LogEntry[]) {
  const restored: { readonly message: Bytes; readonly state: PublicGroup }[] = []
  let state = group
  for (const { message } of entries) {
    const publicMessage = publicMessageIn(message)
    if (publicMessage === undefined) throw new SessionError('log-inapplicable', 'not a handshake')
    ;({ group: state } =
      publicMessage.content.contentType === ContentType.commit
        ? await state.withReturnedCommit(publicMessage)
        : await state.withProposal(publicMessage))
    restored.push({ message, state })
  }
  return restored
}

function publicMessageIn(message: Bytes): PublicMessage | undefined {
  try {
    const decoded = decode(MlsMessage, message)
    return decoded.wireFormat === WireFormat.publicMessage ? decoded.publicMessage : undefined
  } catch (error) {
    if (error instanceof CodecError) return undefined
    throw error
  }
}

function invalid(error: unknown): Refusal {
  if (!(error instanceof ConclaveError)) throw error
  return { ...refuse('message-invalid'), detail: error.code }
}
