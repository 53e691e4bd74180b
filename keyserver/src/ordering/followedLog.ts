import { type Bytes, equalBytes } from '@conclave/core/codec'
import { type LogEntry, maxEntriesPerPage, maxPageBytes } from '@conclave/core/delivery'
import type { GroupKey } from '../store/store.ts'
import { StoreError } from '../store/storeError.ts'
import { FollowedGroup } from './followedGroup.ts'
import type { GroupLogOptions } from './groupLogOptions.ts'
import { ended, type PackedRefusal, refuse } from './orderingError.ts'

/**
 * A group's log as it is read and followed here, over a store to which other keyservers may append.
 * Calls must not overlap.
 */
export class FollowedLog {
  readonly key: GroupKey
  readonly #options: GroupLogOptions
  #followed: FollowedGroup
  /**
   * The message of the newest entry, by which it shows that the log goes on from it. Undefined at
   * the log's beginning alone: the store gives no snapshot of a commit at the log's end.
   */
  #newest: Bytes | undefined

  constructor(key: GroupKey, options: GroupLogOptions, followed: FollowedGroup) {
    this.key = key
    this.#options = options
    this.#followed = followed
  }

  /** The group as it is known here, which may be behind. */
  get followed(): FollowedGroup {
    return this.#followed
  }

  /**
   * Takes in what others have appended; whether that was anything. A store that has lost the log's
   * end may have gone on otherwise: where it does not go on from here, the log is followed anew.
   */
  async catchUp(): Promise<boolean> {
    const { head } = this.#followed
    try {
      if (await this.#follow()) return this.#followed.head > head
    } catch (error) {
      if (error instanceof StoreError) throw error
    }
    const followed = await newestSnapshot(this.key, this.#options)
    if (followed === undefined) return false
    this.#followed = followed
    this.#newest = undefined
    await this.#follow()
    return true
  }

  /** Whether the store has something else in the place of the newest entry that is known here. */
  protected async isReplaced(): Promise<boolean> {
    const { head } = this.#followed
    if (this.#newest === undefined) return false
    const page = await this.#options.store.readEntries(this.key, head - 1, 1)
    const [there] = page?.entries ?? []
    return there?.seq === head && !equalBytes(there.message, this.#newest)
  }

  /**
   * Takes in what has been appended here. Other keyservers' proposals may have come between.
   * @param next the group after it, as it has been verified
   */
  protected async advance(next: FollowedGroup, message: Bytes): Promise<void> {
    if (next.head !== this.#followed.head + 1) {
      await this.catchUp()
      return
    }
    this.#followed = next
    this.#newest = message
  }

  /** One page of the log after `after`. */
  async page(
    after: number,
  ): Promise<
    { readonly ok: true; readonly entries: readonly LogEntry[]; head: number } | PackedRefusal
  > {
    const page = await this.#options.store.readEntries(this.key, after, maxEntriesPerPage)
    if (page === undefined) return ended()
    if (after < page.trimmed || after > page.head) {
      return refuse('seq-out-of-range', `the log reaches from ${page.trimmed} to ${page.head}`)
    }
    return { ok: true, entries: fitting(page.entries), head: page.head }
  }

  /** The ratchet tree of this epoch, or of one that a Welcome may still need. */
  async tree(treeHash: Bytes): Promise<Bytes | undefined> {
    const { store, now } = this.#options
    if (!this.#hasTree(treeHash)) {
      const kept = await store.readTree(this.key, treeHash, now())
      if (kept !== undefined) return kept
      await this.catchUp()
    }
    return this.#hasTree(treeHash) ? this.#followed.publicGroup.tree.encoded() : undefined
  }

  /** False where the log does not go on from what is known here. */
  async #follow(): Promise<boolean> {
    const { store } = this.#options
    for (let known = this.#newest; ; known = undefined) {
      const { head } = this.#followed
      const after = known === undefined ? head : head - 1
      const page = await store.readLog(this.key, after, maxEntriesPerPage)
      if (page === undefined) return true
      const same = page.entries.find(({ seq }) => seq === head)
      if (known !== undefined && same !== undefined && !equalBytes(same.message, known))
        return false
      for (const record of page.entries) {
        if (record.seq <= head) continue
        if (record.seq !== this.#followed.head + 1) return false
        this.#followed = await this.#followed.replay(record)
        this.#newest = record.message
      }
      if (this.#followed.head >= page.head) return this.#followed.head === page.head
      if (this.#followed.head === head && known === undefined) return false
    }
  }

  #hasTree(treeHash: Bytes): boolean {
    return equalBytes(this.#followed.publicGroup.groupContext.treeHash, treeHash)
  }
}

/** Undefined where there is no such group. */
export async function newestSnapshot(
  key: GroupKey,
  { store, crypto, policy, now }: GroupLogOptions,
): Promise<FollowedGroup | undefined> {
  const snapshot = await store.readSnapshot(key)
  return snapshot && (await FollowedGroup.open(crypto, policy, snapshot, now()))
}

/** As many as fit a page, and one at least. */
function fitting(entries: readonly LogEntry[]): readonly LogEntry[] {
  let bytes = 0
  const end = entries.findIndex(({ message }, i) => {
    bytes += message.length
    return i > 0 && bytes > maxPageBytes
  })
  return end < 0 ? entries : entries.slice(0, end)
}
