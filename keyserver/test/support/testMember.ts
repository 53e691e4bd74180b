import type { Clock, RandomBytes } from '@conclave/core'
import { type Bytes, decode, encode, equalBytes, utf8 } from '@conclave/core/codec'
import {
  type SecretSuite,
  type Signer,
  signWithLabel,
  webCrypto,
} from '@conclave/core/crypto/secret'
import {
  CommitEnvelope,
  type EntryStatusName,
  entryStatusLabel,
  entryStatusTbs,
  type GroupSummary,
  type LogEntry,
  presenceLabel,
  presenceTbs,
  type ReplyTo,
  readVoid,
  type ServerNotices,
} from '@conclave/core/delivery'
import {
  anyMeeting,
  conclaveCapabilities,
  foundingExtensions,
  meetingPolicy,
  memberExtension,
  memberLabel,
  memberTbs,
} from '@conclave/core/meeting'
import { createKeyPackage, type KeyPackageBundle, type OwnLeaf } from '@conclave/core/mls/bootstrap'
import { Group, type GroupEnvironment, type PendingCommit } from '@conclave/core/mls/group'
import {
  type CommitContent,
  ExternalSender,
  FramedContentTbs,
  type GroupInfo,
  type KeyPackage,
  type LeafIndex,
  MlsMessage,
  type Proposal,
  type PublicMessage,
  RatchetTree,
} from '@conclave/core/wire'
import { eventually } from './eventually.ts'
import type { TestClient } from './testClient.ts'

const systemRandom: RandomBytes = (length) =>
  globalThis.crypto.getRandomValues(new Uint8Array(length))
const crypto = webCrypto(globalThis.crypto.subtle, systemRandom)
const [version, welcomeFormat, groupInfoFormat, keyPackageFormat] = [1, 3, 4, 5] as const

export function suiteOf(id: number): SecretSuite {
  const found = crypto.secretSuite(id)
  if (found === undefined) throw new Error(`suite ${id} is missing`)
  return found
}

/** Where members meet. */
export interface MeetingPlace {
  readonly clock: Pick<Clock, 'now'>
  /** A connection whose token is for this meeting. */
  connect(identity: string, meetingId: string): Promise<TestClient>
}

export interface Upload {
  groupId: Bytes
  after: number
  message: Bytes
  welcome: Bytes | null
  groupInfo: Bytes
}

/**
 * A person in a meeting: a real MLS group behind a real socket, with none of the client's
 * automatisms, so that a test decides every step.
 */
export class TestMember {
  readonly identity: string
  readonly meetingId: string
  readonly server: MeetingPlace
  client: TestClient
  entered: Extract<ReplyTo<'enter'>, { ok: true }>
  /** The newest entry that has been taken in. */
  seen = 0
  #group: Group | undefined
  #own: OwnLeaf | undefined
  #device: Promise<Signer> | undefined
  readonly environment: GroupEnvironment

  private constructor(
    server: MeetingPlace,
    identity: string,
    meetingId: string,
    client: TestClient,
    entered: Extract<ReplyTo<'enter'>, { ok: true }>,
  ) {
    this.server = server
    this.identity = identity
    this.meetingId = meetingId
    this.client = client
    this.entered = entered
    const policy = meetingPolicy({ meetingId, trust: { policy: 'open' } })
    this.environment = { crypto, policy, clock: server.clock }
  }

  /** Connects and enters. */
  static async arrive(
    server: MeetingPlace,
    identity: string,
    meetingId = 'standup',
  ): Promise<TestMember> {
    const client = await server.connect(identity, meetingId)
    const entered = await client.enter(meetingId)
    if (!entered.ok) throw new Error(entered.code)
    return new TestMember(server, identity, meetingId, client, entered)
  }

  /** Founds the meeting's group and is its only member. */
  static async found(
    server: MeetingPlace,
    identity: string,
    meetingId = 'standup',
  ): Promise<TestMember> {
    const member = await TestMember.arrive(server, identity, meetingId)
    const founding = await member.prepareFounding()
    await member.client.ask('create', founding)
    await member.take()
    return member
  }

  get group(): Group {
    if (this.#group === undefined) throw new Error(`${this.identity} has no group`)
    return this.#group
  }
  get groupId(): Bytes {
    return this.group.groupId
  }
  get leafIndex(): LeafIndex {
    return this.group.leafIndex
  }
  get epoch(): number {
    return Number(this.group.epoch)
  }

  /** A group of one, which counts only if the keyserver takes it. */
  async prepareFounding(
    changes: { readonly groupId?: Bytes; readonly externalSender?: ExternalSender } = {},
  ): Promise<{ groupInfo: Bytes; ratchetTree: Bytes }> {
    const externalSender =
      changes.externalSender ?? decode(ExternalSender, this.entered.externalSender)
    const terms = { policy: 'open' } as const
    this.#group = await Group.found(this.environment, {
      cipherSuite: 1,
      groupId: changes.groupId ?? systemRandom(16),
      own: await this.#ownLeaf(),
      lifetime: this.lifetime(),
      extensions: foundingExtensions(this.meetingId, terms, externalSender),
    })
    return await this.foundingOf()
  }

  /** What `create` takes, of the group as it is. */
  async foundingOf(): Promise<{ groupInfo: Bytes; ratchetTree: Bytes }> {
    return {
      groupInfo: await this.group.groupInfo({ externalPub: true }),
      ratchetTree: encode(RatchetTree, this.group.ratchetTree),
    }
  }

  /** Follows the log and attaches to the own leaf. */
  async take(): Promise<void> {
    await this.resume()
    await this.attach()
  }

  /** A new connection for the same leaf. */
  async reconnect(options: { readonly follow?: boolean } = {}): Promise<void> {
    this.client = await this.server.connect(this.identity, this.meetingId)
    const entered = await this.client.enter(this.meetingId)
    if (!entered.ok) throw new Error(entered.code)
    this.entered = entered
    if (options.follow !== false) await this.resume()
    await this.attach()
  }

  async attach(): Promise<void> {
    const { groupId, leafIndex } = this
    const content = presenceTbs(groupId, leafIndex, this.entered.nonce)
    const signature = await this.group.sign(presenceLabel, content)
    await this.client.ask('attach', { groupId, leafIndex, signature })
  }

  /** Takes in what is new and follows. */
  async resume(): Promise<Extract<ReplyTo<'resume'>, { ok: true }>> {
    for (;;) {
      const page = await this.client.ask('resume', { groupId: this.groupId, after: this.seen })
      await this.receive(page.entries)
      if (this.seen === page.head) return page
    }
  }

  async receive(entries: readonly LogEntry[]): Promise<void> {
    for (const { seq, message } of entries) {
      if (seq !== this.seen + 1) throw new Error(`entry ${seq} after ${this.seen}`)
      const received = await this.group.receive(message)
      if (received.kind === 'rejected') throw received.error
      if (received.kind === 'commit') this.#group = received.group
      this.seen = seq
    }
  }

  /** Takes in the entries up to `seq` as they come. */
  async receiveUpTo(seq: number): Promise<void> {
    const { notices, patienceMs } = this.client
    const caughtUp = async () => {
      const isNext = ({ groupId, entry }: ServerNotices['entry']) =>
        entry.seq === this.seen + 1 && equalBytes(groupId, this.groupId)
      const next = notices.entry.find(isNext)
      if (next !== undefined && this.seen < seq) await this.receive([next.entry])
      return this.seen >= seq
    }
    await eventually(`entry ${seq}`, caughtUp, patienceMs)
  }

  async keyPackage(
    lifetime = this.lifetime(),
  ): Promise<{ bundle: KeyPackageBundle; encoded: Bytes }> {
    const bundle = await createKeyPackage(suiteOf(1), await this.#ownLeaf(), lifetime)
    return { bundle, encoded: this.keyPackageOf(bundle) }
  }

  /** A KeyPackage for the directory: good in any meeting, for a day. */
  async publishable(
    options: { readonly lastResort?: boolean } = {},
  ): Promise<{ bundle: KeyPackageBundle; encoded: Bytes }> {
    const { notBefore } = this.lifetime()
    const lifetime = { notBefore, notAfter: notBefore + 86_400n }
    const own = await this.#ownLeaf(anyMeeting)
    const bundle = await createKeyPackage(suiteOf(1), own, lifetime, options)
    return { bundle, encoded: this.keyPackageOf(bundle) }
  }

  /** The persistent key of the device that certifies this person's leaves. */
  async deviceKey(): Promise<Bytes> {
    return (await this.#deviceSigner()).publicKey
  }

  keyPackageOf({ keyPackage }: KeyPackageBundle): Bytes {
    return encode(MlsMessage, { version, wireFormat: keyPackageFormat, keyPackage })
  }

  /** Puts a KeyPackage on the waiting list of the group that was there on entering. */
  async wait(): Promise<KeyPackageBundle> {
    const { bundle, encoded } = await this.keyPackage()
    await this.client.ask('wait', { groupId: this.summary.groupId, keyPackage: encoded })
    return bundle
  }

  get summary(): GroupSummary {
    if (this.entered.group === null) throw new Error('there was no group')
    return this.entered.group
  }

  /** Joins by the Welcome for `bundle`: the one that is noticed, or one from the mailbox. */
  async join(
    bundle: KeyPackageBundle,
    mail?: { readonly welcome: Bytes; readonly seq: number },
    continues?: Group,
  ): Promise<void> {
    const { welcome, seq } = mail ?? (await this.client.notice('welcome'))
    const message = decode(MlsMessage, welcome)
    if (message.wireFormat !== welcomeFormat) throw new Error('not a Welcome')
    const joining = {
      welcome: message.welcome,
      bundle,
      ratchetTree: async ({ groupContext: { groupId, treeHash } }: GroupInfo) => {
        const { ratchetTree } = await this.client.ask('tree', { groupId, treeHash })
        return decode(RatchetTree, ratchetTree)
      },
    }
    this.#group = await Group.join(this.environment, joining, continues)
    this.seen = seq
  }

  /** A commit that is not sent yet. */
  async prepareCommit(
    proposals: readonly Proposal[] = [],
    authenticatedData: Bytes = this.envelope(),
  ): Promise<{ pending: PendingCommit; upload: Upload }> {
    const groupInfoOptions = { externalPub: true }
    const pending = await this.group.commit({
      proposals,
      authenticatedData,
      groupInfo: groupInfoOptions,
    })
    const { message, groupInfo, welcome = null } = pending
    const { groupId, seen: after } = this
    return { pending, upload: { groupId, after, message, groupInfo, welcome } }
  }

  /** The same commit with other content, signed anew by its sender. */
  async forge(
    { message, ...rest }: Upload,
    change: (commit: CommitContent) => CommitContent,
  ): Promise<Upload> {
    const { publicMessage, content } = commitIn(message)
    const changed = change(content)
    const context = this.group.groupContext
    const tbs = encode(FramedContentTbs, { version, wireFormat: 1, content: changed, context })
    const signature = await this.sign('FramedContentTBS', tbs)
    const auth = { ...publicMessage.auth, signature }
    return { ...rest, message: publicMessageOf({ ...publicMessage, content: changed, auth }) }
  }

  /** The key of its leaf. */
  get signer(): Signer {
    if (this.#own === undefined) throw new Error('nobody to sign')
    return this.#own.signer
  }

  sign(label: string, content: Bytes): Promise<Bytes> {
    return signWithLabel(this.signer, label, content)
  }

  envelope(seen = this.seen): Bytes {
    return encode(CommitEnvelope, { seenSeq: BigInt(seen) })
  }

  /** Commits and enters the new epoch. */
  async commit(proposals: readonly Proposal[] = []): Promise<number> {
    const { pending, upload } = await this.prepareCommit(proposals)
    const { seq } = await this.client.ask('commit', upload)
    this.confirm(pending, seq)
    return seq
  }

  /** In a group that this member has founded. */
  goOn(group: Group): void {
    this.#group = group
    this.seen = 0
  }

  confirm(pending: PendingCommit, seq: number): void {
    this.#group = this.group.confirm(pending)
    this.seen = seq
  }

  /** Adds everybody who waits, as soon as they are `count`. */
  async admit(count: number): Promise<number> {
    const all = async () => {
      const { waiting } = await this.resume()
      return waiting.length === count && waiting
    }
    const joiners = await eventually(`${count} who wait`, all, this.client.patienceMs)
    return await this.commit(joiners.map(({ keyPackage }) => add(keyPackageOf(keyPackage))))
  }

  /**
   * A commit by which this person enters the group that was there on entering without being added;
   * who had a leaf in it takes that one's place. It is not sent yet.
   */
  async prepareExternalCommit(): Promise<{ pending: PendingCommit; upload: Upload }> {
    const { groupId } = this.summary
    const begun = await this.client.ask('groupInfo', { groupId })
    const groupInfo = groupInfoOf(begun.groupInfo)
    const { treeHash } = groupInfo.groupContext
    const { ratchetTree } = await this.client.ask('tree', { groupId, treeHash })
    const { entries, head } = await this.client.ask('resume', { groupId, after: begun.seq })
    const own = this.#own
    const pending = await Group.joinExternally(this.environment, {
      groupInfo,
      ratchetTree: decode(RatchetTree, ratchetTree),
      own: this.#group === undefined || own === undefined ? await this.#ownLeaf() : own,
      ...(this.#group !== undefined && { replaces: this.#group.leafIndex }),
      selfRemoves: entries.flatMap(({ message }) => selfRemoveIn(message) ?? []),
      authenticatedData: this.envelope(head),
      groupInfoOptions: { externalPub: true },
    })
    const { message } = pending
    const upload = { groupId, after: head, message, groupInfo: pending.groupInfo, welcome: null }
    return { pending, upload }
  }

  /** The same after another one that has no place in the log yet. */
  async prepareExternalCommitAfter(before: {
    readonly pending: PendingCommit
    readonly upload: Upload
  }): Promise<{ pending: PendingCommit; upload: Upload }> {
    const after = before.upload.after + 1
    const pending = await Group.joinExternally(this.environment, {
      groupInfo: groupInfoOf(before.upload.groupInfo),
      ratchetTree: Group.enter(before.pending).ratchetTree,
      own: await this.#ownLeaf(),
      selfRemoves: [],
      authenticatedData: this.envelope(after),
      groupInfoOptions: { externalPub: true },
    })
    const { message, groupInfo } = pending
    return { pending, upload: { ...before.upload, after, message, groupInfo } }
  }

  /** Enters without being added. */
  async joinExternally(): Promise<number> {
    const { pending, upload } = await this.prepareExternalCommit()
    const { seq } = await this.client.ask('commit', upload)
    this.#group = Group.enter(pending)
    this.seen = seq
    return seq
  }

  /** Says how the commit `seq` fared, with the key of the epoch that this member is in. */
  async report({ seq, message }: LogEntry, status: EntryStatusName): Promise<ReplyTo<'report'>> {
    const { groupId, leafIndex } = this
    const entryHash = this.group.public.crypto.hash(message)
    const content = entryStatusTbs({ groupId, seq, entryHash, leafIndex, status })
    const signature = await this.group.sign(entryStatusLabel, content)
    return await this.client.request('report', { groupId, seq, leafIndex, status, signature })
  }

  async leaveGroup(): Promise<number> {
    const message = await this.group.proposeSelfRemove()
    const { seq } = await this.client.ask('propose', { groupId: this.groupId, message })
    return seq
  }

  /** Its own leaf in a group of another suite, with a fresh signature key or with this one. */
  async leafIn(cipherSuite: number, signer?: Signer): Promise<OwnLeaf> {
    return this.#makeLeaf(signer ?? (await suiteOf(cipherSuite).generateSigner()), this.meetingId)
  }

  async #ownLeaf(certifiedFor = this.meetingId): Promise<OwnLeaf> {
    this.#own = await this.#makeLeaf(await suiteOf(1).generateSigner(), certifiedFor)
    return this.#own
  }

  async #makeLeaf(signer: Signer, certifiedFor: string): Promise<OwnLeaf> {
    const device = await this.#deviceSigner()
    return {
      signer,
      credential: { credentialType: 1, identity: utf8(this.identity) } as const,
      capabilities: {
        versions: [1],
        cipherSuites: [1, 2, 3],
        extensions: [...conclaveCapabilities.extensionTypes],
        proposals: [...conclaveCapabilities.proposalTypes],
        credentials: [1],
      },
      extensions: [await this.#memberExtension(signer, device, certifiedFor)],
    }
  }

  #deviceSigner(): Promise<Signer> {
    this.#device ??= suiteOf(1).generateSigner()
    return this.#device
  }

  async #memberExtension(signer: Signer, device: Signer, certifiedFor: string) {
    const content = memberTbs(certifiedFor, signer.publicKey)
    return memberExtension({
      deviceKey: device.publicKey,
      deviceSignature: await signWithLabel(device, memberLabel, content),
      ticket: undefined,
    })
  }

  lifetime() {
    const now = BigInt(Math.floor(this.server.clock.now() / 1000))
    return { notBefore: now - 60n, notAfter: now + 300n }
  }
}

export function commitIn(encoded: Bytes): { publicMessage: PublicMessage; content: CommitContent } {
  const message = decode(MlsMessage, encoded)
  if (message.wireFormat !== 1) throw new Error('not a PublicMessage')
  const { publicMessage } = message
  if (publicMessage.content.contentType !== 3) throw new Error('not a commit')
  return { publicMessage, content: publicMessage.content }
}

/** The SelfRemove that an entry of the log is. */
function selfRemoveIn(encoded: Bytes): PublicMessage | undefined {
  if (readVoid(encoded) !== undefined) return undefined
  const message = decode(MlsMessage, encoded)
  if (message.wireFormat !== 1) return undefined
  const { content } = message.publicMessage
  const leaves = content.contentType === 2 && content.proposal.proposalType === 10
  return leaves ? message.publicMessage : undefined
}

function groupInfoOf(encoded: Bytes): GroupInfo {
  const message = decode(MlsMessage, encoded)
  if (message.wireFormat !== groupInfoFormat) throw new Error('not a GroupInfo')
  return message.groupInfo
}

export function publicMessageOf(publicMessage: PublicMessage): Bytes {
  return encode(MlsMessage, { version, wireFormat: 1, publicMessage })
}

export function add(keyPackage: KeyPackage): Proposal {
  return { proposalType: 1, keyPackage }
}

export function keyPackageOf(encoded: Bytes): KeyPackage {
  const message = decode(MlsMessage, encoded)
  if (message.wireFormat !== keyPackageFormat) throw new Error('not a KeyPackage')
  return message.keyPackage
}

/** A meeting with these members, all in one epoch and attached. */
export async function meetingOf(
  server: MeetingPlace,
  founder: string,
  ...others: readonly string[]
): Promise<TestMember[]> {
  const members = [await TestMember.found(server, founder)]
  for (const identity of others) members.push(await admitted(server, members, identity))
  return members
}

/** One more member, added by the first. */
export async function admitted(
  server: MeetingPlace,
  members: readonly TestMember[],
  identity: string,
): Promise<TestMember> {
  const [committer, ...rest] = members as [TestMember, ...TestMember[]]
  const joiner = await TestMember.arrive(server, identity, committer.meetingId)
  const bundle = await joiner.wait()
  const seq = await committer.admit(1)
  await joiner.join(bundle)
  await joiner.take()
  await Promise.all(rest.map((member) => member.receiveUpTo(seq)))
  return joiner
}
