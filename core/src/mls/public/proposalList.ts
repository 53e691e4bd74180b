import { type Bytes, toHex } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import type { ProposalOrRef } from '../../wire/commit.ts'
import type { Extensions } from '../../wire/extension.ts'
import type { Sender } from '../../wire/framing.ts'
import type { KeyPackage } from '../../wire/keyPackage.ts'
import { PreSharedKeyId, type Proposal } from '../../wire/proposal.ts'
import type { LeafIndex, LeafNode } from '../../wire/ratchetTree.ts'
import { ProposalOrRefType, ProposalType, SenderType } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { supportsProposal } from '../treesync/leafNode.ts'
import type { PublicTree } from '../treesync/publicTree.ts'

/** A proposal with who made it; one that a commit carries by value is its committer's. */
export interface SourcedProposal {
  readonly proposal: Proposal
  readonly sender: Sender
}

export interface AddEntry {
  readonly keyPackage: KeyPackage
  readonly sender: Sender
}
export interface UpdateEntry {
  readonly leafIndex: LeafIndex
  readonly leafNode: LeafNode
}
export interface RemoveEntry {
  readonly leafIndex: LeafIndex
  readonly kind: 'remove' | 'self-remove'
  readonly sender: Sender
}

/** The proposals of one commit, sorted by kind in the order in which they apply (§12.3). */
export interface ProposalList {
  readonly committer: LeafIndex
  readonly groupContextExtensions: Extensions | undefined
  readonly updates: readonly UpdateEntry[]
  readonly removes: readonly RemoveEntry[]
  readonly adds: readonly AddEntry[]
  readonly preSharedKeys: readonly PreSharedKeyId[]
  readonly reInit: Extract<Proposal, { proposalType: typeof ProposalType.reInit }> | undefined
  /** Everything, in the order of the commit. */
  readonly all: readonly SourcedProposal[]
}

/** More than this no commit can make use of: every leaf of a meeting removed, added and updated. */
const maxProposalsInCommit = 4096

/**
 * RFC 9420 §12.4: the proposals behind a commit's ProposalOrRefs.
 * @throws MlsError `proposals-too-many`, `proposal-unknown-reference`,
 *   `proposal-self-remove-by-value`
 */
export function resolveProposals(
  entries: readonly ProposalOrRef[],
  committer: Sender,
  known: ReadonlyMap<string, SourcedProposal>,
): readonly SourcedProposal[] {
  if (entries.length > maxProposalsInCommit) {
    throw new MlsError('proposals-too-many', `over ${maxProposalsInCommit} proposals in a commit`)
  }
  return entries.map((entry) => {
    if (entry.type === ProposalOrRefType.proposal) {
      if (entry.proposal.proposalType === ProposalType.selfRemove) {
        throw new MlsError(
          'proposal-self-remove-by-value',
          'a SelfRemove is committed by reference',
        )
      }
      return { proposal: entry.proposal, sender: committer }
    }
    const found = known.get(toHex(entry.reference))
    if (found === undefined) {
      throw new MlsError('proposal-unknown-reference', 'the commit names an unknown proposal')
    }
    return found
  })
}

/**
 * RFC 9420 §12.2 for a commit by a member: which proposals may stand beside each other.
 * @throws MlsError `proposals-…`, `proposal-…`
 */
export function sortProposals(
  proposals: readonly SourcedProposal[],
  committer: LeafIndex,
  tree: PublicTree,
): ProposalList {
  const updates: UpdateEntry[] = []
  const removes: RemoveEntry[] = []
  const adds: AddEntry[] = []
  const preSharedKeys: PreSharedKeyId[] = []
  const contextExtensions: Extensions[] = []
  let reInit: ProposalList['reInit']

  for (const { proposal, sender } of proposals) {
    switch (proposal.proposalType) {
      case ProposalType.add:
        adds.push({ keyPackage: proposal.keyPackage, sender })
        break
      case ProposalType.update:
        updates.push({ leafIndex: memberLeaf(sender), leafNode: proposal.leafNode })
        break
      case ProposalType.remove:
        removes.push({ leafIndex: proposal.removed, kind: 'remove', sender })
        break
      case ProposalType.selfRemove:
        removes.push({ leafIndex: memberLeaf(sender), kind: 'self-remove', sender })
        break
      case ProposalType.psk:
        preSharedKeys.push(proposal.psk)
        break
      case ProposalType.groupContextExtensions:
        contextExtensions.push(proposal.extensions)
        break
      case ProposalType.reInit:
        reInit = proposal
        break
      case ProposalType.externalInit:
        throw new MlsError(
          'proposals-external-init-misplaced',
          'a member cannot commit an ExternalInit',
        )
    }
  }

  if (reInit !== undefined && proposals.length > 1) {
    throw new MlsError('proposals-reinit-not-alone', 'a ReInit must be committed alone')
  }
  if (contextExtensions.length > 1) {
    throw new MlsError('proposals-several-context-extensions', 'two GroupContextExtensions')
  }
  checkLeavesOnce(updates, removes, committer)
  checkClientsOnce(adds, removes, tree)
  checkPskOnce(preSharedKeys)
  checkTypesSupported(proposals, removes, tree)
  return {
    committer,
    groupContextExtensions: contextExtensions[0],
    updates,
    removes,
    adds,
    preSharedKeys,
    reInit,
    all: proposals,
  }
}

/** @throws MlsError `message-sender-not-allowed` */
function memberLeaf(sender: Sender): LeafIndex {
  if (sender.senderType !== SenderType.member) {
    throw new MlsError('message-sender-not-allowed', 'only a member can update or remove itself')
  }
  return sender.leafIndex
}

function checkLeavesOnce(
  updates: readonly UpdateEntry[],
  removes: readonly RemoveEntry[],
  committer: LeafIndex,
): void {
  if (updates.some(({ leafIndex }) => leafIndex === committer)) {
    throw new MlsError('proposals-update-by-committer', 'a committer updates itself by its path')
  }
  if (removes.some(({ leafIndex }) => leafIndex === committer)) {
    throw new MlsError('proposals-remove-committer', 'a committer cannot be removed by its commit')
  }
  const leaves = [...updates, ...removes].map(({ leafIndex }) => leafIndex)
  if (new Set(leaves).size < leaves.length) {
    throw new MlsError('proposals-same-leaf-twice', 'two proposals concern the same leaf')
  }
}

/** Two leaves are the same client where their signature keys are equal. */
function checkClientsOnce(
  adds: readonly AddEntry[],
  removes: readonly RemoveEntry[],
  tree: PublicTree,
): void {
  if (adds.length === 0) return
  const added = new Set(adds.map(({ keyPackage }) => toHex(keyPackage.leafNode.signatureKey)))
  if (added.size < adds.length) {
    throw new MlsError('proposals-same-client-twice', 'a commit adds a client twice')
  }
  const removed = new Set(removes.map(({ leafIndex }) => leafIndex))
  const already = tree
    .members()
    .some(
      ({ leafIndex, leafNode }) =>
        !removed.has(leafIndex) && added.has(toHex(leafNode.signatureKey)),
    )
  if (already) {
    throw new MlsError('proposals-client-already-member', 'a commit adds a client that is a member')
  }
}

function checkPskOnce(psks: readonly PreSharedKeyId[]): void {
  const ids = new Set(psks.map((psk) => toHex(pskIdentity(psk))))
  if (ids.size < psks.length) {
    throw new MlsError('proposals-same-psk-twice', 'a commit uses a pre-shared key twice')
  }
}

/** §12.2: the same PreSharedKeyID, whatever its nonce. */
function pskIdentity(psk: PreSharedKeyId): Bytes {
  return encode(PreSharedKeyId, { ...psk, pskNonce: new Uint8Array(0) })
}

function checkTypesSupported(
  proposals: readonly SourcedProposal[],
  removes: readonly RemoveEntry[],
  tree: PublicTree,
): void {
  const types = new Set<number>(proposals.map(({ proposal }) => proposal.proposalType))
  const removed = new Set(removes.map(({ leafIndex }) => leafIndex))
  for (const { leafIndex, leafNode } of tree.members()) {
    if (removed.has(leafIndex)) continue
    for (const type of types) {
      if (!supportsProposal(leafNode.capabilities, type)) {
        throw new MlsError('proposal-type-unsupported', `a member does not support type ${type}`)
      }
    }
  }
}
