import { type Bytes, equalBytes, toHex } from '@conclave/core/codec'
import type { GroupSummary } from '@conclave/core/delivery'
import type {
  AppendCommitOutcome,
  AppendOutcome,
  Attachment,
  CommitAppend,
  GroupContinuation,
  GroupFounding,
  LogRecord,
  Offer,
  OfferOutcome,
  OffersWanted,
  PresenceView,
  ProposalAppend,
  ReturnedAppend,
  Snapshot,
  Store,
  StoredStatus,
  VoidAppend,
  WaitingEntry,
  WaitOutcome,
  WelcomePart,
} from './store.ts'

interface StoredTree {
  readonly seq: number
  readonly ratchetTree: Bytes
  readonly keepUntil: number
}

interface StoredWelcome {
  readonly part: WelcomePart
  readonly seq: number
  readonly expiresAt: number
}

/** What is left of the group that this one continues. */
interface PastLog extends Pick<MemoryGroup, 'groupId' | 'log' | 'head' | 'trimmed'> {
  readonly until: number
}

/** Groups before a meeting's that are known to be continued by it. */
const rememberedPast = 16

/** One group of the in-memory store. Every method is a step of `Store`, without the key. */
export class MemoryGroup {
  readonly groupId: Bytes
  readonly log: LogRecord[] = []
  readonly #foundedBy: Bytes
  readonly #expiresAt: number
  readonly #retainedBytes: number
  #firstEpoch = 0
  #epoch = 0
  #logBytes = 0
  /** The entry with sequence number n is at n - trimmed - 1. */
  #trimmed = 0
  #snapshot: Snapshot
  #snapshotBefore: Snapshot | undefined
  readonly #commits = new Map<number, number>()
  /** By tree hash, KeyPackageRef: hexadecimal. */
  readonly #trees = new Map<string, StoredTree>()
  readonly #welcomes = new Map<string, StoredWelcome>()
  readonly #waiting = new Map<string, WaitingEntry>()
  readonly #usedRefs = new Map<string, number>()
  /** When each leaf committed lately. */
  readonly #committed = new Map<number, readonly number[]>()
  readonly #attached = new Map<string, Attachment>()
  readonly #leases = new Map<string, number>()
  /** When a leaf without a connection is overdue. Every other leaf of the group has a connection. */
  readonly #due = new Map<number, number>()
  /** What asked for the removal of each leaf that is going; undefined where that was its own word. */
  readonly #leaving = new Map<number, Bytes | undefined>()
  /** When each leaf was added or has sent a path last. */
  readonly #paths = new Map<number, number>()
  readonly #statuses = new Map<number, StoredStatus>()
  readonly #offers = new Map<number, Offer>()
  /** Ids of the groups that this one continues, the newest first: hexadecimal. */
  #pastIds: readonly string[] = []
  #past: PastLog | undefined

  constructor({ key, snapshot, now, dueAt, expiresAt }: GroupFounding, retainedBytes: number) {
    this.groupId = key.groupId
    this.#foundedBy = snapshot.groupInfo
    this.#snapshot = snapshot
    this.#expiresAt = expiresAt
    this.#retainedBytes = retainedBytes
    this.#due.set(0, dueAt)
    this.#paths.set(0, now)
  }

  /** The group that takes the place of `before`. */
  static continuing(
    before: MemoryGroup,
    meetingId: string,
    { groupId, firstEpoch, snapshot, leaves, ...next }: GroupContinuation,
  ): MemoryGroup {
    const { now, dueAt, joinedBy, pastUntil } = next
    const key = { meetingId, groupId }
    const expiresAt = before.#expiresAt
    const group = new MemoryGroup({ key, snapshot, now, dueAt, expiresAt }, before.#retainedBytes)
    group.#firstEpoch = firstEpoch
    group.#epoch = firstEpoch
    group.#pastIds = [toHex(before.groupId), ...before.#pastIds].slice(0, rememberedPast)
    const { log, head, trimmed } = before
    group.#past = { groupId: before.groupId, log, head, trimmed, until: pastUntil }
    const present = new Set(before.attachments.map(({ leaf }) => leaf))
    for (const leaf of leaves) {
      group.#due.set(leaf.after, present.has(leaf.before) ? joinedBy : dueAt)
      group.#paths.set(leaf.after, now)
      if (!before.#leaving.has(leaf.before)) continue
      const asked = before.#leaving.get(leaf.before) !== undefined
      group.#leaving.set(leaf.after, asked ? leaf.envelope : undefined)
    }
    for (const part of next.parts) {
      const ref = toHex(part.ref)
      group.#usedRefs.set(ref, next.refUntil)
      group.#welcomes.set(ref, { part, seq: 0, expiresAt: next.welcomeUntil })
    }
    const { ratchetTree } = snapshot
    const tree = { seq: 0, ratchetTree, keepUntil: next.treeUntil }
    group.#trees.set(toHex(snapshot.treeHash), tree)
    return group
  }

  get attachments(): readonly Attachment[] {
    return [...this.#attached.values()]
  }
  get head(): number {
    return this.#trimmed + this.log.length
  }
  get trimmed(): number {
    return this.#trimmed
  }
  get snapshot(): Snapshot {
    const before = this.#snapshot.seq === this.head ? this.#snapshotBefore : undefined
    return before ?? this.#snapshot
  }
  get summary(): GroupSummary {
    return { groupId: this.groupId, epoch: this.#epoch, head: this.head }
  }

  isFoundedBy(groupId: Bytes, groupInfo: Bytes): boolean {
    return equalBytes(this.groupId, groupId) && equalBytes(this.#foundedBy, groupInfo)
  }

  endsWith({ epoch, head }: Pick<GroupContinuation, 'epoch' | 'head'>): boolean {
    return this.#epoch === epoch && this.head === head
  }

  continues(groupId: Bytes): boolean {
    return this.#pastIds.includes(toHex(groupId))
  }

  past(groupId: Bytes, now: number): PastLog | undefined {
    if (this.#past !== undefined && this.#past.until <= now) this.#past = undefined
    return this.#past && equalBytes(this.#past.groupId, groupId) ? this.#past : undefined
  }

  putOffer(
    epoch: number,
    offer: Offer,
    { wanted, final }: { readonly wanted: OffersWanted; readonly final: boolean },
  ): OfferOutcome {
    if (this.#epoch !== epoch) return this.#mismatch()
    const before = this.#offers.get(offer.leaf)
    if (final && before !== undefined && isWanted(before, wanted)) {
      const same = equalBytes(before.keyPackage, offer.keyPackage)
      if (!same) return { outcome: 'offered-before' }
    }
    for (const { leaf, keys } of this.#offers.values()) {
      if (leaf === offer.leaf) continue
      if (keys.some((key) => offer.keys.some((own) => equalBytes(own, key)))) {
        return { outcome: 'key-taken' }
      }
    }
    this.#offers.set(offer.leaf, offer)
    return { outcome: 'offered', missing: this.missingOffers(wanted) }
  }

  missingOffers(wanted: OffersWanted): readonly number[] {
    return wanted.leaves.filter((leaf) => {
      const offer = this.#offers.get(leaf)
      return offer === undefined || !isWanted(offer, wanted)
    })
  }

  readOffers(leaves: readonly number[]): readonly Bytes[] | undefined {
    const found = leaves.flatMap((leaf) => this.#offers.get(leaf)?.keyPackage ?? [])
    return found.length === leaves.length ? found : undefined
  }

  appendProposal({ epoch, message, now, leaving }: ProposalAppend): AppendOutcome {
    if (this.#epoch !== epoch) return this.#mismatch()
    if (leaving !== null) this.markLeaving(leaving, undefined)
    return { outcome: 'appended', seq: this.#append({ kind: 'proposal', epoch, message, at: now }) }
  }

  appendCommit(commit: CommitAppend): AppendCommitOutcome {
    if (this.#epoch !== commit.epoch || this.head < commit.after) return this.#mismatch()
    if (commit.offers !== null) {
      if (this.head !== commit.after) return this.#mismatch()
      const leaves = this.missingOffers(commit.offers)
      if (leaves.length > 0) return { outcome: 'offers-missing', leaves }
    }
    this.#forgetExpired(commit.now)
    if (commit.parts.some(({ ref }) => this.#usedRefs.has(toHex(ref)))) {
      return { outcome: 'ref-used' }
    }
    const lately = this.#committedLately(commit)
    if (lately.length >= commit.rate.commits) return { outcome: 'too-often' }
    const admitted = commit.parts.flatMap(({ ref }) => this.#waiting.get(toHex(ref)) ?? [])
    const { epoch, message, groupInfo, welcome, snapshot, now, dueAt } = commit
    const upload = { groupInfo, welcome }
    const seq = this.#append({ kind: 'commit', epoch, message, at: now, upload })
    this.#epoch = epoch + 1
    this.#commits.set(epoch, seq)
    this.#paths.set(commit.committer, now)
    this.#changeMembers(commit.removed, commit.added, { now, dueAt })
    // Whoever takes its own old leaf's place by an external commit has committed no less often.
    this.#committed.set(commit.committer, [...lately, now])
    for (const part of commit.parts) {
      const ref = toHex(part.ref)
      if (this.#waiting.delete(ref)) this.#due.set(part.leafIndex, commit.joinedBy)
      this.#usedRefs.set(ref, commit.refUntil)
      this.#welcomes.set(ref, { part, seq, expiresAt: commit.welcomeUntil })
    }
    if (snapshot !== null) {
      this.#keep({ ...snapshot, seq, groupInfo })
      const { ratchetTree } = snapshot
      this.#trees.set(toHex(snapshot.treeHash), { seq, ratchetTree, keepUntil: commit.treeUntil })
    }
    return { outcome: 'appended', seq, admitted }
  }

  appendVoid({ epoch, voided, message, added, removed, now, dueAt }: VoidAppend): AppendOutcome {
    if (this.#epoch !== epoch || this.head !== voided) return this.#mismatch()
    const seq = this.#append({ kind: 'void', epoch, message, at: now })
    this.#epoch = epoch - 1
    this.#commits.delete(epoch - 1)
    this.#changeMembers(added, removed, { now, dueAt })
    for (const [ref, welcome] of this.#welcomes) {
      if (welcome.seq === voided) this.#welcomes.delete(ref)
    }
    for (const [hash, tree] of this.#trees) if (tree.seq === voided) this.#trees.delete(hash)
    if (this.#snapshot.seq === voided && this.#snapshotBefore !== undefined) {
      this.#snapshot = this.#snapshotBefore
      this.#snapshotBefore = undefined
    }
    return { outcome: 'appended', seq }
  }

  appendReturned(returned: ReturnedAppend): AppendOutcome {
    const { head, epoch, records, snapshot, epochAfter, added, removed, now } = returned
    if (this.#epoch !== epoch || this.head !== head) return this.#mismatch()
    for (const { seq, ...record } of records) {
      this.#append(record)
      if (record.kind === 'commit') this.#commits.set(record.epoch, seq)
      if (record.kind === 'void') this.#commits.delete(record.epoch - 1)
    }
    this.#epoch = epochAfter
    for (const leaf of returned.committers) this.#paths.set(leaf, now)
    this.#changeMembers(removed, added, returned)
    this.#keep(snapshot)
    return { outcome: 'appended', seq: this.head }
  }

  findCommit(epoch: number): LogRecord | undefined {
    const seq = this.#commits.get(epoch)
    return seq === undefined ? undefined : this.log[seq - this.#trimmed - 1]
  }

  groupInfo(): { readonly groupInfo: Bytes; readonly seq: number } | undefined {
    const begun = this.#epoch === this.#firstEpoch ? 0 : this.#commits.get(this.#epoch - 1)
    if (begun === undefined) return undefined
    if (begun === this.#snapshot.seq) return { groupInfo: this.#snapshot.groupInfo, seq: begun }
    const groupInfo = this.findCommit(this.#epoch - 1)?.upload?.groupInfo
    return groupInfo && { groupInfo, seq: begun }
  }

  tree(treeHash: Bytes, now: number): Bytes | undefined {
    this.#forgetExpired(now)
    return this.#trees.get(toHex(treeHash))?.ratchetTree
  }

  addWaiting(
    entry: WaitingEntry,
    limits: { readonly waiting: number; readonly now: number },
  ): WaitOutcome {
    const ref = toHex(entry.ref)
    const welcome = this.welcome(entry.ref, limits.now)
    if (welcome !== undefined) return { outcome: 'welcomed', ...welcome }
    if (this.#usedRefs.has(ref)) return { outcome: 'used' }
    const known = this.#waiting.get(ref)
    if (known !== undefined && known.identity !== entry.identity) return { outcome: 'used' }
    if (known === undefined && this.#waiting.size >= limits.waiting) return { outcome: 'full' }
    // A joiner that reconnected keeps its place and its expiry; the new connection owns it.
    this.#waiting.set(ref, known === undefined ? entry : { ...known, owner: entry.owner })
    return { outcome: 'waiting', position: [...this.#waiting.keys()].indexOf(ref) }
  }

  withdrawWaiting(ref: Bytes, owner: string): boolean {
    const known = this.#waiting.get(toHex(ref))
    return known?.owner === owner && this.#waiting.delete(toHex(ref))
  }

  listWaiting(now: number): readonly WaitingEntry[] {
    this.#forgetExpired(now)
    return [...this.#waiting.values()]
  }

  welcome(ref: Bytes, now: number): { part: WelcomePart; seq: number } | undefined {
    this.#forgetExpired(now)
    const found = this.#welcomes.get(toHex(ref))
    return found && { part: found.part, seq: found.seq }
  }

  dropWelcome(leafIndex: number): void {
    for (const [ref, { part }] of this.#welcomes) {
      if (part.leafIndex === leafIndex) this.#welcomes.delete(ref)
    }
  }

  attach(
    attachment: Attachment,
    { dueAt, leaseUntil }: { readonly dueAt: number; readonly leaseUntil: number },
  ): boolean {
    const { connection, instance, leaf } = attachment
    if (!this.#isMember(leaf)) return false
    this.#leases.set(instance, leaseUntil)
    if (this.#attached.get(connection)?.leaf === leaf) return false
    this.detach(connection, dueAt)
    this.#attached.set(connection, attachment)
    this.#due.delete(leaf)
    return true
  }

  detach(connection: string, dueAt: number): boolean {
    const attachment = this.#attached.get(connection)
    if (attachment === undefined) return false
    this.#attached.delete(connection)
    const { leaf } = attachment
    if (![...this.#attached.values()].some((other) => other.leaf === leaf)) {
      this.#due.set(leaf, dueAt)
    }
    return true
  }

  renewLease(instance: string, until: number): boolean {
    if (!this.#leases.has(instance)) return false
    this.#leases.set(instance, until)
    return true
  }

  markLeaving(leaf: number, envelope: Bytes | undefined): void {
    if (this.#isMember(leaf) && !this.#leaving.has(leaf)) this.#leaving.set(leaf, envelope)
  }

  presence({ now, graceMs, idleMs }: Parameters<Store['readPresence']>[1]): PresenceView {
    const over = [...this.#leases].filter(([, until]) => until <= now)
    for (const [instance] of over) {
      this.#leases.delete(instance)
      for (const attachment of [...this.#attached.values()]) {
        if (attachment.instance === instance) this.detach(attachment.connection, now + graceMs)
      }
    }
    const due = [...this.#due]
    const later = due.map(([, at]) => at).filter((at) => at > now)
    return {
      present: sorted([...this.#attached.values()].map(({ leaf }) => leaf)),
      overdue: sorted(due.filter(([, at]) => at <= now).map(([leaf]) => leaf)),
      idle: sorted([...this.#paths].filter(([, at]) => at <= now - idleMs).map(([leaf]) => leaf)),
      leaving: sorted(this.#leaving.keys()),
      requests: new Map(
        [...this.#leaving].flatMap(([leaf, envelope]) => (envelope ? [[leaf, envelope]] : [])),
      ),
      nextDue: later.length === 0 ? null : Math.min(...later),
      expiresAt: this.#expiresAt,
    }
  }

  addStatus(seq: number, status: StoredStatus): readonly StoredStatus[] | undefined {
    if (seq !== this.head || this.#commits.get(this.#epoch - 1) !== seq) return undefined
    if (!this.#statuses.has(status.leaf)) this.#statuses.set(status.leaf, status)
    return [...this.#statuses.values()]
  }

  #mismatch(): { readonly outcome: 'epoch-mismatch'; readonly group: GroupSummary } {
    return { outcome: 'epoch-mismatch', group: this.summary }
  }

  #append(record: Omit<LogRecord, 'seq'>): number {
    const seq = this.head + 1
    this.log.push({ seq, ...record })
    this.#logBytes += sizeOf(record)
    this.#statuses.clear()
    return seq
  }

  #isMember(leaf: number): boolean {
    return this.#due.has(leaf) || [...this.#attached.values()].some((other) => other.leaf === leaf)
  }

  #changeMembers(
    gone: readonly number[],
    come: readonly number[],
    { now, dueAt }: { readonly now: number; readonly dueAt: number },
  ): void {
    const leaves = new Set(gone)
    for (const leaf of leaves) {
      this.dropWelcome(leaf)
      this.#due.delete(leaf)
      this.#leaving.delete(leaf)
      this.#paths.delete(leaf)
      this.#committed.delete(leaf)
      this.#offers.delete(leaf)
    }
    for (const [connection, { leaf }] of this.#attached) {
      if (leaves.has(leaf)) this.#attached.delete(connection)
    }
    for (const leaf of come) {
      this.#due.set(leaf, dueAt)
      this.#paths.set(leaf, now)
    }
  }

  #committedLately({ committer, rate, now }: CommitAppend): readonly number[] {
    return (this.#committed.get(committer) ?? []).filter((at) => at > now - rate.perMs)
  }

  /** The log goes only as far back as the snapshot before: a commit with a snapshot may be undone. */
  #keep(snapshot: Snapshot): void {
    this.#snapshotBefore = this.#snapshot
    this.#snapshot = snapshot
    const { seq: kept } = this.#snapshotBefore
    let count = 0
    for (const record of this.log) {
      if (this.#logBytes <= this.#retainedBytes || record.seq > kept) break
      this.#logBytes -= sizeOf(record)
      // Where the commit was undone, the epoch may have been ended by another.
      if (this.#commits.get(record.epoch) === record.seq) this.#commits.delete(record.epoch)
      count += 1
    }
    this.log.splice(0, count)
    this.#trimmed += count
  }

  #forgetExpired(now: number): void {
    for (const [ref, { expiresAt }] of this.#waiting) {
      if (expiresAt <= now) this.#waiting.delete(ref)
    }
    for (const [ref, { expiresAt }] of this.#welcomes) {
      if (expiresAt <= now) this.#welcomes.delete(ref)
    }
    for (const [ref, until] of this.#usedRefs) if (until <= now) this.#usedRefs.delete(ref)
    const needed = new Set([...this.#welcomes.values()].map(({ seq }) => seq))
    for (const [hash, { seq, keepUntil }] of this.#trees) {
      if (keepUntil <= now && !needed.has(seq)) this.#trees.delete(hash)
    }
  }
}

function isWanted({ cipherSuite, until }: Offer, wanted: OffersWanted): boolean {
  return cipherSuite === wanted.cipherSuite && until >= wanted.validUntil
}

function sizeOf({ message, upload }: Omit<LogRecord, 'seq'>): number {
  return message.length + (upload?.groupInfo.length ?? 0) + (upload?.welcome?.length ?? 0)
}

function sorted(leaves: Iterable<number>): readonly number[] {
  return [...new Set(leaves)].sort((a, b) => a - b)
}
