import { type Bytes, utf8 } from '@conclave/core/codec'
import fc from 'fast-check'
import type { GroupKey, LogRecord, OffersWanted, Store, VoidAppend } from '../../src/store/store.ts'
import { key, start } from './storeSamples.ts'

/** What may be asked of a store; small numbers, so that steps meet each other. */
const leaf = fc.nat({ max: 4 })
const ref = fc.nat({ max: 6 })
const name = fc.constantFrom('a', 'b', 'c')
const tree = fc.nat({ max: 3 })
/** Rarely true: the step is for an epoch, or an end of the log, that is not there. */
const stale = fc.integer({ min: 0, max: 9 }).map((n) => n === 0)

function step<K extends string, T extends object>(
  kind: K,
  fields: { [N in keyof T]: fc.Arbitrary<T[N]> },
) {
  return fc.record({ kind: fc.constant(kind), ...fields }) as fc.Arbitrary<{ readonly kind: K } & T>
}

const proposing = step('propose', { stale, leaving: fc.option(leaf) })
const committing = step('commit', {
  /** Entries that the log has lost. */
  ahead: stale.map(Number),
  stale,
  committer: leaf,
  adds: fc.uniqueArray(fc.record({ ref, leaf }), { maxLength: 2, selector: (add) => add.ref }),
  removed: fc.uniqueArray(leaf, { maxLength: 2 }),
  tree: fc.option(tree),
  /** Rarely: the group is reinitialised by it. */
  freezes: stale,
})
const voiding = step('void', { stale })
const givingBack = step('give back', {
  stale,
  entries: fc.array(fc.constantFrom('proposal', 'commit', 'void'), { minLength: 1, maxLength: 4 }),
  uploaded: fc.boolean(),
  committers: fc.uniqueArray(leaf, { maxLength: 2 }),
  added: fc.uniqueArray(leaf, { maxLength: 2 }),
  removed: fc.uniqueArray(leaf, { maxLength: 2 }),
  tree,
})

const offering = step('offer', {
  stale,
  leaf,
  cipherSuite: fc.constantFrom(1, 3),
  ms: fc.integer({ min: 1, max: 150 }),
  keys: fc.uniqueArray(fc.nat({ max: 5 }), { minLength: 1, maxLength: 2 }),
  final: fc.boolean(),
})
const continuing = step('continue', {
  stale,
  group: name,
  tree,
  leaves: fc.uniqueArray(leaf, { minLength: 1, maxLength: 3 }),
  refs: fc.uniqueArray(ref, { maxLength: 2 }),
})

export const storeStep = fc.oneof(
  { weight: 4, arbitrary: proposing },
  { weight: 8, arbitrary: committing },
  { weight: 3, arbitrary: voiding },
  { weight: 1, arbitrary: givingBack },
  { weight: 4, arbitrary: step('wait', { ref, owner: name }) },
  { weight: 2, arbitrary: step('withdraw', { ref, owner: name }) },
  { weight: 1, arbitrary: step('drop welcome', { leaf }) },
  { weight: 5, arbitrary: step('attach', { connection: name, instance: name, leaf }) },
  { weight: 2, arbitrary: step('detach', { connection: name }) },
  { weight: 2, arbitrary: step('renew', { instance: name }) },
  { weight: 1, arbitrary: step('leave', { leaf }) },
  {
    weight: 2,
    arbitrary: step('status', { stale, leaf, status: fc.constantFrom('applied', 'failed') }),
  },
  { weight: 4, arbitrary: offering },
  { weight: 2, arbitrary: continuing },
  { weight: 4, arbitrary: step('pass', { ms: fc.integer({ min: 1, max: 150 }) }) },
  { weight: 2, arbitrary: step('look', {}) },
  { weight: 1, arbitrary: step('found', { group: name }) },
  { weight: 1, arbitrary: step('close', { group: name }) },
)
export type StoreStep = typeof storeStep extends fc.Arbitrary<infer T> ? T : never

type Undone = Pick<VoidAppend, 'added' | 'removed'> | undefined

/** Does the same to any store; what it does depends on nothing but the steps and the answers. */
export class StoreWalk {
  readonly #store: Store
  #key: GroupKey = key
  #now = start
  #count = 0
  /** What the commit at the log's end has changed. */
  #undone: Undone

  constructor(store: Store) {
    this.#store = store
  }

  /** What the store answered. */
  async take(step: StoreStep): Promise<unknown> {
    const store = this.#store
    const at = this.#key
    const now = this.#now
    const dueAt = now + 50
    this.#count += 1
    const text = (what: string) => utf8(`${what} ${this.#count}`)
    const group = (await store.currentGroup(at.meetingId)) ?? { epoch: 0, head: 0 }
    const epoch = group.epoch + ('stale' in step && step.stale ? 1 : 0)

    switch (step.kind) {
      case 'propose': {
        const { leaving } = step
        const proposal = { epoch, message: text('proposal'), now, leaving }
        return this.#moved(await store.appendProposal(at, proposal), undefined)
      }
      case 'commit': {
        const added = step.adds.map((add) => add.leaf)
        const hash = step.tree ?? (added.length > 0 ? 0 : null)
        const outcome = await store.appendCommit(at, {
          epoch,
          after: group.head + step.ahead,
          message: text('commit'),
          groupInfo: text('info'),
          welcome: added.length > 0 ? text('welcome') : null,
          parts: step.adds.map(({ ref, leaf }) => ({
            ref: refOf(ref),
            leafIndex: leaf,
            welcome: text(`welcome of ${ref}`),
          })),
          committer: step.committer,
          rate: { commits: 3, perMs: 200 },
          added,
          dueAt,
          joinedBy: dueAt + 30,
          removed: step.removed,
          offers: step.freezes ? wantedAt(now) : null,
          snapshot: hash === null ? null : { ...treeOf(hash), overdue: step.removed },
          now,
          treeUntil: now + 60,
          welcomeUntil: now + 120,
          refUntil: now + 300,
        })
        return this.#moved(outcome, { added, removed: step.removed })
      }
      case 'void': {
        // Nothing but a commit is ever undone.
        if (this.#undone === undefined) return 'nothing to undo'
        const undo = { epoch, voided: group.head, message: text('void'), now, dueAt }
        return this.#moved(await store.appendVoid(at, { ...undo, ...this.#undone }), undefined)
      }
      case 'give back': {
        const records = this.#records(step, group)
        const last = records.at(-1)
        if (last === undefined) return 'nothing to give back'
        const commits = records.filter(({ kind }) => kind === 'commit').length
        const outcome = await store.appendReturned(at, {
          head: group.head,
          epoch,
          records,
          snapshot: { ...treeOf(step.tree), seq: last.seq, groupInfo: text('info'), overdue: [] },
          epochAfter: group.epoch + commits - (records.length - commits - proposals(records)),
          committers: step.committers,
          added: step.added,
          removed: step.removed,
          now,
          dueAt,
        })
        return this.#moved(outcome, undefined)
      }
      case 'wait': {
        const { owner } = step
        const identity = owner === 'c' ? 'carol' : 'alice'
        const entry = { ref: refOf(step.ref), keyPackage: text('package'), owner, identity }
        const limits = { waiting: 3, now }
        return await store.addWaiting(at, { ...entry, expiresAt: now + 100 }, limits)
      }
      case 'withdraw':
        return await store.withdrawWaiting(at, refOf(step.ref), step.owner)
      case 'drop welcome':
        return await store.dropWelcome(at, step.leaf)
      case 'attach':
        return await store.attach(at, step, { dueAt, leaseUntil: now + 80 })
      case 'detach':
        return await store.detach(at, step.connection, dueAt)
      case 'renew':
        return await store.renewLease(at, step.instance, now + 80)
      case 'leave':
        return await store.markLeaving(at, step.leaf, text('why'))
      case 'status': {
        const { leaf, status } = step
        const seq = group.head + (step.stale ? -1 : 0)
        return byLeaf(await store.addStatus(at, seq, { leaf, status, signature: text('signed') }))
      }
      case 'offer': {
        const { leaf, cipherSuite, ms, final } = step
        const keys = step.keys.map((each) => Uint8Array.of(each, 0xfd))
        const offer = { leaf, cipherSuite, until: now + ms, keys, keyPackage: text('offer') }
        return await store.putOffer(at, epoch, offer, { wanted: wantedAt(now), final })
      }
      case 'continue': {
        const groupId = utf8(`group ${step.group}`)
        const outcome = await store.continueGroup(at, {
          epoch,
          head: group.head,
          groupId,
          firstEpoch: 1,
          snapshot: { ...treeOf(step.tree), seq: 0, groupInfo: text('founding'), overdue: [] },
          leaves: step.leaves.map((before, after) => ({
            before,
            after,
            envelope: Uint8Array.of(after, 0),
          })),
          parts: step.refs.map((each, i) => ({
            ref: refOf(each),
            leafIndex: i + 1,
            welcome: text(`welcome of ${each}`),
          })),
          now,
          dueAt,
          joinedBy: dueAt + 30,
          treeUntil: now + 60,
          welcomeUntil: now + 120,
          refUntil: now + 300,
          pastUntil: now + 100,
        })
        if (outcome.outcome !== 'continued') return outcome
        this.#key = { ...key, groupId }
        this.#undone = undefined
        return { ...outcome, attached: outcome.attached.toSorted(byConnection) }
      }
      case 'pass':
        this.#now += step.ms
        return undefined
      case 'look':
        return await this.look()
      case 'found': {
        this.#key = { ...key, groupId: utf8(`group ${step.group}`) }
        this.#undone = undefined
        const snapshot = { ...treeOf(0), seq: 0, groupInfo: utf8('founding'), overdue: [1] }
        const times = { now, dueAt, expiresAt: now + 3_600_000 }
        return await store.createGroup({ key: this.#key, snapshot, ...times })
      }
      case 'close':
        return await store.closeGroup({ ...key, groupId: utf8(`group ${step.group}`) })
    }
  }

  /** All that a store shows. */
  async look(): Promise<unknown> {
    const store = this.#store
    const at = this.#key
    const now = this.#now
    const refs = [0, 1, 2, 3, 4, 5, 6]
    return {
      group: await store.currentGroup(at.meetingId),
      meetings: await store.listMeetings(null, 10),
      log: await store.readLog(at, 0, 1000),
      page: await store.readLog(at, 2, 3),
      entries: await store.readEntries(at, 2, 3),
      commits: await Promise.all(refs.map((epoch) => store.findCommit(at, epoch))),
      snapshot: await store.readSnapshot(at),
      groupInfo: await store.readGroupInfo(at),
      presence: await store.readPresence(at, { now, graceMs: 40, idleMs: 200 }),
      waiting: await store.listWaiting(at, now),
      welcomes: await Promise.all(refs.map((ref) => store.findWelcome(at, refOf(ref), now))),
      offers: await store.readOffers(at, [0, 1, 2, 3, 4]),
      offered: await Promise.all([0, 1, 2, 3, 4].map((each) => store.readOffers(at, [each]))),
      missing: await store.missingOffers(at, wantedAt(now)),
      past: await Promise.all(
        ['a', 'b', 'c'].map(async (each) => {
          const past = { ...key, groupId: utf8(`group ${each}`) }
          return [await store.continuationOf(past), await store.readPastEntries(past, 1, 3, now)]
        }),
      ),
      trees: await Promise.all(
        [0, 1, 2, 3].map((tree) => store.readTree(at, treeOf(tree).treeHash, now)),
      ),
    }
  }

  #moved<T extends { readonly outcome: string }>(outcome: T, undone: Undone): T {
    if (outcome.outcome === 'appended') this.#undone = undone
    return outcome
  }

  #records(
    { entries, uploaded }: Extract<StoreStep, { readonly kind: 'give back' }>,
    group: { readonly epoch: number; readonly head: number },
  ): readonly LogRecord[] {
    const records: LogRecord[] = []
    let { epoch, head } = group
    for (const kind of entries) {
      if (kind === 'void' && records.at(-1)?.kind !== 'commit') continue
      head += 1
      const record = { seq: head, kind, epoch, at: this.#now, message: utf8(`${kind} ${head}`) }
      const upload = { groupInfo: utf8(`info ${head}`), welcome: null }
      records.push(kind === 'commit' && uploaded ? { ...record, upload } : record)
      if (kind === 'commit') epoch += 1
      if (kind === 'void') epoch -= 1
    }
    return records
  }
}

function proposals(records: readonly LogRecord[]): number {
  return records.filter(({ kind }) => kind === 'proposal').length
}

function wantedAt(now: number): OffersWanted {
  return { leaves: [0, 1], cipherSuite: 1, validUntil: now + 20 }
}

function byConnection(a: { readonly connection: string }, b: typeof a): number {
  return a.connection < b.connection ? -1 : 1
}

function refOf(ref: number): Bytes {
  return Uint8Array.of(0, ref, 0xff)
}

function treeOf(tree: number): { readonly treeHash: Bytes; readonly ratchetTree: Bytes } {
  return { treeHash: Uint8Array.of(tree, 0xfe), ratchetTree: utf8(`tree ${tree}`) }
}

function byLeaf<T extends { readonly leaf: number }>(
  statuses: readonly T[] | undefined,
): readonly T[] | undefined {
  return statuses?.toSorted((a, b) => a.leaf - b.leaf)
}
