import type { AppendedCommit, AppendedEntry } from '../servers/appendedEntries.ts'
import { noPrimitives, type PrimitiveCounts, type PrimitiveOperation } from './primitiveCosts.ts'

type Counted = Record<PrimitiveOperation, number>

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
  follow(entry: AppendedEntry): PrimitiveCounts {
    const counts = noPrimitives()
    if (entry.kind === 'proposal') {
      // Whoever made it has signed it; where that was the keyserver, all verify.
      counts.sign += 1
      counts.verify += this.count - 1
      return counts
    }
    const before = this.#leaves
    const after = new Set([...before, ...entry.added])
    for (const leaf of entry.removed) if (!entry.added.includes(leaf)) after.delete(leaf)
    this.#leaves = after
    countCommit(counts, entry, after)
    return counts
  }
}

function countCommit(
  counts: Counted,
  { committer, added, external, seals }: AppendedCommit,
  after: ReadonlySet<number>,
): void {
  const welcomed = added.filter((leaf) => leaf !== committer)
  const newcomers = new Set(added)
  const path = pathOf(committer, after, newcomers)
  const receivers = after.size - newcomers.size - (external ? 0 : 1)

  // The committer.
  add(counts, { sign: 3, deriveKeyPair: path.nodes + 1, hpkeSeal: seals + welcomed.length })
  add(counts, { mac: scheduleMacs + 2 * path.nodes, hash: 2 * path.nodes + 2 })
  add(counts, { aead: welcomed.length > 0 ? 1 : 0 })
  add(counts, signaturesOfNewcomer, welcomed.length)

  // Whoever was there: the commit's signature and the path's leaf's, by a key that is known.
  add(counts, { verify: 2, hpkeOpen: 1, mac: scheduleMacs, hash: 2 * path.nodes + 2 }, receivers)
  add(counts, signaturesOfNewcomer, receivers * welcomed.length)
  add(counts, { verifyNew: external ? 2 : 0 }, receivers)
  add(counts, { deriveKeyPair: 1, mac: 2 }, path.climbedByReceivers)

  // Whoever was not: KeyPackage, certified leaf and presence; the Welcome, and every leaf of the tree.
  const treeNodes = 2 * widthOf(after) - 1
  add(
    counts,
    { sign: 4, deriveKeyPair: 2, hpkeOpen: 1, aead: 1, mac: scheduleMacs },
    welcomed.length,
  )
  add(counts, { verify: 1, hash: treeNodes }, welcomed.length)
  add(counts, signaturesOfLeaf, welcomed.length * (after.size - 1))
  add(counts, { deriveKeyPair: 1, mac: 2 }, path.climbedByNewcomers)
  if (external) {
    add(counts, { sign: 2, hpkeSeal: 1, verify: 1, hash: treeNodes })
    add(counts, signaturesOfLeaf, after.size - 1)
  }
}

/** The filtered direct path of the committer (RFC 9420 §4.1.2), and how many nodes others derive. */
function pathOf(
  committer: number,
  leaves: ReadonlySet<number>,
  newcomers: ReadonlySet<number>,
): { nodes: number; climbedByReceivers: number; climbedByNewcomers: number } {
  const levels: { receivers: number; newcomers: number }[] = []
  for (let level = 1; 1 << (level - 1) < widthOf(leaves); level++) {
    const beneath = { receivers: 0, newcomers: 0 }
    for (const leaf of leaves) {
      if (32 - Math.clz32(leaf ^ committer) !== level) continue
      if (newcomers.has(leaf)) beneath.newcomers += 1
      else beneath.receivers += 1
    }
    if (beneath.receivers + beneath.newcomers > 0) levels.push(beneath)
  }
  const nodes = levels.length
  let [climbedByReceivers, climbedByNewcomers] = [0, 0]
  levels.forEach((beneath, i) => {
    climbedByReceivers += beneath.receivers * (nodes - i)
    climbedByNewcomers += beneath.newcomers * (nodes - i)
  })
  return { nodes, climbedByReceivers, climbedByNewcomers }
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
