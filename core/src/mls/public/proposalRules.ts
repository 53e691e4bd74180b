import { type Bytes, emptyBytes, toHex } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import type { Extensions } from '../../wire/extension.ts'
import type { Sender } from '../../wire/framing.ts'
import { PreSharedKeyId, proposalCodePoint } from '../../wire/proposal.ts'
import type { LeafIndex, LeafNode } from '../../wire/ratchetTree.ts'
import { ProposalType, SenderType } from '../../wire/registry.ts'
import { MlsError } from '../mlsError.ts'
import { supportsProposal } from '../treesync/leafNode.ts'
import type { PublicTree } from '../treesync/publicTree.ts'
import type { GroupPolicy } from './policy.ts'
import type {
  AddEntry,
  ProposalList,
  RemoveEntry,
  SourcedProposal,
  UpdateEntry,
} from './proposalList.ts'

/**
 * RFC 9420 §12.2: which proposals may stand beside each other in a commit by a member, or in one by
 * a newcomer.
 * @throws MlsError `proposals-…`, `proposal-…`, `external-commit-…`
 */
export function sortProposals(
  proposals: readonly SourcedProposal[],
  committer: Sender,
  tree: PublicTree,
  policy: Pick<GroupPolicy, 'clientOf'> = {},
): ProposalList {
  const kinds = byKind(proposals)
  const leaf =
    committer.senderType === SenderType.member
      ? checkMembersCommit(proposals, kinds, committer.leafIndex)
      : checkNewcomersCommit(kinds, tree)
  checkLeavesOnce(kinds, leaf)
  const added = kinds.adds.map(({ keyPackage }) => keyPackage.leafNode)
  checkClientsOnce(added, kinds.removes, tree, policy)
  checkPskOnce(kinds.preSharedKeys)
  checkTypesSupported(proposals, kinds.removes, tree)
  const { updates, removes, adds, preSharedKeys } = kinds
  return {
    committer: leaf,
    groupContextExtensions: kinds.contextExtensions[0],
    updates,
    removes,
    adds,
    preSharedKeys,
    reInit: kinds.reInit,
    externalInit: kinds.externalInits[0],
    all: proposals,
  }
}

interface Kinds {
  readonly updates: UpdateEntry[]
  readonly removes: RemoveEntry[]
  readonly adds: AddEntry[]
  readonly preSharedKeys: PreSharedKeyId[]
  readonly contextExtensions: Extensions[]
  readonly externalInits: Bytes[]
  reInit: ProposalList['reInit']
}

function byKind(proposals: readonly SourcedProposal[]): Kinds {
  const kinds: Kinds = {
    updates: [],
    removes: [],
    adds: [],
    preSharedKeys: [],
    contextExtensions: [],
    externalInits: [],
    reInit: undefined,
  }
  for (const { proposal, sender, authenticatedData = emptyBytes } of proposals) {
    switch (proposal.proposalType) {
      case ProposalType.add:
        kinds.adds.push({ keyPackage: proposal.keyPackage, sender })
        break
      case ProposalType.update:
        kinds.updates.push({ leafIndex: memberLeaf(sender), leafNode: proposal.leafNode })
        break
      case ProposalType.remove:
        kinds.removes.push({
          leafIndex: proposal.removed,
          kind: 'remove',
          sender,
          authenticatedData,
        })
        break
      case ProposalType.selfRemove:
        kinds.removes.push({
          leafIndex: memberLeaf(sender),
          kind: 'self-remove',
          sender,
          authenticatedData,
        })
        break
      case ProposalType.psk:
        kinds.preSharedKeys.push(proposal.psk)
        break
      case ProposalType.groupContextExtensions:
        kinds.contextExtensions.push(proposal.extensions)
        break
      case ProposalType.reInit:
        kinds.reInit = proposal
        break
      case ProposalType.externalInit:
        kinds.externalInits.push(proposal.kemOutput)
        break
      case ProposalType.custom:
        break
    }
  }
  return kinds
}

/** @throws MlsError `message-sender-not-allowed` */
function memberLeaf(sender: Sender): LeafIndex {
  if (sender.senderType !== SenderType.member) {
    throw new MlsError('message-sender-not-allowed', 'only a member can update or remove itself')
  }
  return sender.leafIndex
}

function checkMembersCommit(
  proposals: readonly SourcedProposal[],
  { externalInits, reInit, contextExtensions, removes }: Kinds,
  committer: LeafIndex,
): LeafIndex {
  if (externalInits.length > 0) {
    throw new MlsError(
      'proposals-external-init-misplaced',
      'a member cannot commit an ExternalInit',
    )
  }
  if (reInit !== undefined && proposals.length > 1) {
    throw new MlsError('proposals-reinit-not-alone', 'a ReInit must be committed alone')
  }
  if (contextExtensions.length > 1) {
    throw new MlsError('proposals-several-context-extensions', 'two GroupContextExtensions')
  }
  // A newcomer may take the very leaf that it has removed.
  if (removes.some(({ leafIndex }) => leafIndex === committer)) {
    throw new MlsError('proposals-remove-committer', 'a committer cannot be removed by its commit')
  }
  return committer
}

/** The leaf that the newcomer takes: the leftmost that is blank after the removals. */
function checkNewcomersCommit({ externalInits, removes }: Kinds, tree: PublicTree): LeafIndex {
  if (externalInits.length !== 1) {
    throw new MlsError('external-commit-init-count', 'an external commit has one ExternalInit')
  }
  if (removes.filter(({ kind }) => kind === 'remove').length > 1) {
    throw new MlsError('external-commit-several-removes', 'a newcomer replaces one leaf at most')
  }
  let remaining = tree
  for (const { leafIndex } of removes) remaining = remaining.withoutLeaf(leafIndex)
  return remaining.withFreeLeaf().leafIndex
}

function checkLeavesOnce({ updates, removes }: Kinds, committer: LeafIndex): void {
  if (updates.some(({ leafIndex }) => leafIndex === committer)) {
    throw new MlsError('proposals-update-by-committer', 'a committer updates itself by its path')
  }
  const leaves = [...updates, ...removes].map(({ leafIndex }) => leafIndex)
  if (new Set(leaves).size < leaves.length) {
    throw new MlsError('proposals-same-leaf-twice', 'two proposals concern the same leaf')
  }
}

/**
 * §12.2: nobody enters who is in the group already, as the application sees it.
 * @throws MlsError `proposals-same-client-twice`, `proposals-client-already-member`
 */
export function checkClientsOnce(
  entering: readonly LeafNode[],
  removes: readonly RemoveEntry[],
  tree: PublicTree,
  { clientOf }: Pick<GroupPolicy, 'clientOf'>,
): void {
  if (entering.length === 0) return
  const clients = new Set(entering.map(clientOf ?? signatureKeyOf))
  if (clients.size < entering.length) {
    throw new MlsError('proposals-same-client-twice', 'a commit adds a client twice')
  }
  const removed = new Set(removes.map(({ leafIndex }) => leafIndex))
  const already =
    clientOf === undefined
      ? entering.map(({ signatureKey }) => tree.keys.memberWithSignatureKey(signatureKey))
      : tree
          .members()
          .filter(({ leafNode }) => clients.has(clientOf(leafNode)))
          .map(({ leafIndex }) => leafIndex)
  if (already.some((leafIndex) => leafIndex !== undefined && !removed.has(leafIndex))) {
    throw new MlsError('proposals-client-already-member', 'a commit adds a client that is a member')
  }
}

function signatureKeyOf({ signatureKey }: LeafNode): string {
  return toHex(signatureKey)
}

/** A nonce is part of a PreSharedKeyID (§8.4): the key that two members propose is no fault. */
function checkPskOnce(psks: readonly PreSharedKeyId[]): void {
  const ids = new Set(psks.map((psk) => toHex(encode(PreSharedKeyId, psk))))
  if (ids.size < psks.length) {
    throw new MlsError('proposals-same-psk-twice', 'a commit uses a pre-shared key twice')
  }
}

/** The key that is meant, whatever the nonce. */
export function pskIdentity(psk: PreSharedKeyId): string {
  return toHex(encode(PreSharedKeyId, { ...psk, pskNonce: new Uint8Array(0) }))
}

function checkTypesSupported(
  proposals: readonly SourcedProposal[],
  removes: readonly RemoveEntry[],
  tree: PublicTree,
): void {
  const { capabilities } = tree
  const types = [...new Set(proposals.map(({ proposal }) => proposalCodePoint(proposal)))].filter(
    (type) => capabilities === undefined || !supportsProposal(capabilities, type),
  )
  if (types.length === 0) return
  // Whoever does not support one may be among those who leave.
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
