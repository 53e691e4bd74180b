import type { Bytes } from '../codec/bytes.ts'
import { equalBytes } from '../codec/bytes.ts'
import type { PublicSuite } from '../crypto/public/publicSuite.ts'
import type { LeafIndex, LeafNode } from '../wire/ratchetTree.ts'
import { type VoidEntry, verifyEntryStatus } from './entryStatus.ts'

/** Why a member must not take a commit for undone (docs/protocol.md). */
export type VoidFault =
  /** The void is of another entry than the log's last. */
  | 'void-not-of-head'
  /** The member itself has applied the commit. */
  | 'void-of-applied-commit'
  /** Nobody says that the commit failed. */
  | 'void-unsigned'
  /** A status is by nobody in the tree before the commit. */
  | 'void-signer-unknown'
  | 'void-signer-twice'
  /** The committer's own word counts for nothing. */
  | 'void-signer-committer'
  | 'void-signature-invalid'

/** The entry at the log's end, as a member knows it. */
export interface HeadEntry {
  readonly groupId: Bytes
  readonly seq: number
  /** The cipher suite's hash of the entry's message. */
  readonly entryHash: Bytes
  /** `applied`: the group went on from it, or it was no commit. */
  readonly status: 'applied' | 'failed'
  /**
   * The key that the committer signs with: an external commit's committer has no leaf before it,
   * or one under another index. Undefined where the commit cannot be read that far.
   */
  readonly committerKey: Uint8Array | undefined
  /** The tree before it. */
  readonly tree: {
    leafNode(leafIndex: LeafIndex): Pick<LeafNode, 'signatureKey'> | undefined
  }
}

/**
 * Why the void that follows the log's last entry must be refused, or undefined. A member that has
 * applied the commit never goes back, whatever others sign.
 */
export async function voidFault(
  crypto: PublicSuite,
  { seq, statuses }: VoidEntry,
  head: HeadEntry,
): Promise<VoidFault | undefined> {
  if (seq !== BigInt(head.seq)) return 'void-not-of-head'
  if (head.status === 'applied') return 'void-of-applied-commit'
  if (statuses.length === 0) return 'void-unsigned'
  if (new Set(statuses.map(({ leafIndex }) => leafIndex)).size < statuses.length) {
    return 'void-signer-twice'
  }
  for (const { leafIndex, signature } of statuses) {
    const signatureKey = head.tree.leafNode(leafIndex as LeafIndex)?.signatureKey
    if (signatureKey === undefined) return 'void-signer-unknown'
    if (head.committerKey !== undefined && equalBytes(signatureKey, head.committerKey)) {
      return 'void-signer-committer'
    }
    const { groupId, entryHash } = head
    const claim = { groupId, seq: head.seq, entryHash, leafIndex, status: 'failed' } as const
    if (!(await verifyEntryStatus(crypto, signatureKey, claim, signature))) {
      return 'void-signature-invalid'
    }
  }
  return undefined
}
