import type { AppendedCommit, AppendedEntry } from '../servers/appendedEntries.ts'
import { noPrimitives, type PrimitiveCounts, type PrimitiveOperation } from './primitiveCosts.ts'

type Counted = Record<PrimitiveOperation, number>

/** What an entry asks of all members together, and of whoever has committed it alone. */
export interface EntryWork {
  readonly all: PrimitiveCounts
  readonly committer: PrimitiveCounts
}

/** RFC 9420 §8: expansions of an epoch's secrets, its MACs, and the media base key. */
const scheduleMacs = 2 + 1 + 10 + 2 + 3
/** A KeyPackage's signature and its leaf's, by one key, and the device's. */
const signaturesOfNewcomer = { verifyNew: 2, verify: 1 }
/** A leaf's in a tree, and the device's. */
const signaturesOfLeaf = { verifyNew: 2 }

/**
 * Who is in a group, and the least cryptography that all members together must do for what comes
 * onto its log: a member that keeps nothing but keys, leaf signatures that it has verified and tree
 * hashes. The keyserver's is not counted.
 */
export class FollowedMembers {
  #leaves: ReadonlySet<number> = new Set([0])

  get count(): number {
    return this.#leaves.size
  }

  /** What the founder must do. */
  static founding(): PrimitiveCounts {
    return { ...noPrimitives(), sign: 5, deriveKeyPair: 2, mac: scheduleMacs }
  }

  /** What all must do for this entry, which is the next one. */
  follow(entry: AppendedEntry): EntryWork {
    if (entry.kind === 'proposal') {
      const all = { ...noPrimitives(), sign: 1, verify: this.count - 1 }
      return { all, committer: noPrimitives() }
    }
    const before = this.#leaves
    const after = new Set([...before, ...entry.added])
    for (const leaf of entry.removed) if (!entry.added.includes(leaf)) after.delete(leaf)
    this.#leaves = after
    return workOfCommit(entry, after)
  }
}

function workOfCommit(
  { committer, added, external, seals }: AppendedCommit,
  after: ReadonlySet<number>,
): EntryWork {
  const welcomed = added.filter((leaf) => leaf !== committer)
  const path = pathOf(committer, after)
  const receivers = after.size - new Set([...added, committer]).size
  const treeNodes = 2 * widthOf(after) - 1
  const pathHashes = 2 * path.nodes + 2

  const committing = noPrimitives()
  add(committing, { sign: 3, deriveKeyPair: path.nodes + 1, hpkeSeal: seals + welcomed.length })
  add(committing, { mac: scheduleMacs + 2 * path.nodes, hash: pathHashes })
  add(committing, { aead: welcomed.length > 0 ? 1 : 0 })
  add(committing, signaturesOfNewcomer, welcomed.length)
  if (external) {
    add(committing, { sign: 2, hpkeSeal: 1, verify: 1, hash: treeNodes })
    add(committing, signaturesOfLeaf, after.size - 1)
  }

  const all = { ...committing }
  // Whoever was there: the commit's signature and that of the path's leaf, by a key that is known.
  add(all, { verify: 2, hpkeOpen: 1, mac: scheduleMacs, hash: pathHashes }, receivers)
  add(all, signaturesOfNewcomer, receivers * welcomed.length)
  if (external) add(all, signaturesOfLeaf, receivers)
  add(all, { deriveKeyPair: 1, mac: 2 }, path.climbed)

  // Whoever was not: KeyPackage, certified leaf and presence; the Welcome, and all leaves of the tree.
  add(all, { sign: 4, deriveKeyPair: 2, hpkeOpen: 1, aead: 1, mac: scheduleMacs }, welcomed.length)
  add(all, { verify: 1, hash: treeNodes }, welcomed.length)
  add(all, signaturesOfLeaf, welcomed.length * (after.size - 1))
  return { all, committer: committing }
}

/** The filtered direct path (RFC 9420 §4.1.2), and how many of its nodes all others derive. */
function pathOf(
  committer: number,
  leaves: ReadonlySet<number>,
): { readonly nodes: number; readonly climbed: number } {
  const beneath = new Map<number, number>()
  for (const leaf of leaves) {
    const level = 32 - Math.clz32(leaf ^ committer)
    if (level > 0) beneath.set(level, (beneath.get(level) ?? 0) + 1)
  }
  const levels = [...beneath].toSorted(([a], [b]) => a - b)
  const nodes = levels.length
  const climbed = levels.reduce((sum, [, members], i) => sum + members * (nodes - i), 0)
  return { nodes, climbed }
}

/** Leaves of the tree, a power of two. */
function widthOf(leaves: ReadonlySet<number>): number {
  const last = Math.max(0, ...leaves)
  return 2 ** (32 - Math.clz32(last))
}

function add(counts: Counted, more: Partial<PrimitiveCounts>, times = 1): void {
  for (const [name, count] of Object.entries(more) as [PrimitiveOperation, number][]) {
    counts[name] += count * times
  }
}

export function addedUp(all: readonly PrimitiveCounts[]): PrimitiveCounts {
  const total = noPrimitives()
  for (const counts of all) add(total, counts)
  return total
}
