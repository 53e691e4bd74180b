import { type Bytes, emptyBytes, fromHex } from '../../codec/bytes.ts'
import { ConclaveError } from '../../error.ts'
import type { ProposalOrRef } from '../../wire/commit.ts'
import type { Sender } from '../../wire/framing.ts'
import type { Proposal } from '../../wire/proposal.ts'
import type { LeafNode } from '../../wire/ratchetTree.ts'
import { ProposalOrRefType, ProposalType, SenderType } from '../../wire/registry.ts'
import type { OwnLeaf } from '../bootstrap/keyPackageBundle.ts'
import { checkEach } from '../public/checkEach.ts'
import { checkProposal } from '../public/proposal.ts'
import { resolveProposals, type SourcedProposal } from '../public/proposalList.ts'
import { sortProposals } from '../public/proposalRules.ts'
import {
  checkMembersAfter,
  judgeNewSenders,
  needsPath,
  prepareCommit,
} from '../public/publicCommit.ts'
import type { Epoch } from './epoch.ts'
import { handshakeFormat, protect } from './framing.ts'
import type { GroupInfoOptions } from './groupInfo.ts'
import { makeCommit } from './makeCommit.ts'
import { PendingCommit } from './pendingCommit.ts'
import { findPreSharedKeys, type PreSharedKeys, preSharedKeysOf } from './preSharedKeys.ts'
import { selectProposals } from './selectProposals.ts'

/** What a commit covers beyond the proposals that were received, and how it is made. */
export interface CommitOptions {
  /** Proposals of our own, committed by value. */
  readonly proposals?: readonly Proposal[]
  readonly authenticatedData?: Bytes
  /**
   * Without a path nobody heals and an added member gets no path secret; RFC 9420 §12.4 allows it
   * for Adds, pre-shared keys and ReInits. 'always' where left out.
   */
  readonly path?: 'always' | 'if-required'
  /** What our leaf becomes, if anything but its encryption key is to change: it needs a path. */
  readonly leaf?: OwnLeaf
  /** As a PrivateMessage, which a delivery service cannot check. */
  readonly encrypted?: boolean
  /**
   * Whether it covers a ReInit, where nothing else is to be committed: false for a group that is
   * not to be frozen yet. True where left out.
   */
  readonly reInit?: boolean
  /** Of the GroupInfo that the Welcome carries and that is given beside the commit. */
  readonly groupInfo?: GroupInfoOptions
}

/** For the first commit of a group that continues another. */
interface Founds {
  readonly knownPsks?: PreSharedKeys
  readonly founds?: boolean
}

/**
 * RFC 9420 §12.4.1: covers every proposal of the epoch that can be covered, and the given ones. The
 * epoch itself does not change.
 * @throws MlsError, or what the policy throws
 */
export async function createCommit(
  epoch: Epoch,
  options: CommitOptions,
  { knownPsks = preSharedKeysOf(epoch), founds = false }: Founds = {},
): Promise<PendingCommit> {
  const { environment, crypto, leafIndex, privateTree, history, signer } = epoch
  const { entries, prepared, psks } = await chooseProposals(epoch, options, knownPsks)
  await judgeNewSenders(environment, crypto, prepared)
  const withPath =
    options.path !== 'if-required' ||
    options.leaf !== undefined ||
    needsPath(environment, prepared.proposals)
  const made = await makeCommit(
    {
      environment,
      crypto,
      privateTree,
      history,
      leafIndex,
      signer,
      group: epoch.public,
      sender: { senderType: SenderType.member, leafIndex },
      initSecret: epoch.secrets.initSecret,
      wireFormat: handshakeFormat(epoch, options.encrypted),
      protect: (authenticated) => protect(epoch, authenticated),
    },
    {
      entries,
      prepared,
      psks,
      authenticatedData: options.authenticatedData ?? emptyBytes,
      leaf: withPath ? (options.leaf ?? ownLeaf(epoch)) : undefined,
      leafIsNew: options.leaf !== undefined,
      groupInfo: options.groupInfo,
    },
  )
  return new PendingCommit({ ...made, previous: epoch, founds })
}

/** What our leaf says of us, with the key that signs for it. */
export function ownLeaf({ public: group, leafIndex, signer }: Epoch): OwnLeaf {
  const { credential, capabilities, extensions } = group.tree.leafNode(leafIndex) as LeafNode
  return { signer, credential, capabilities, extensions }
}

/** The proposals of a commit of ours, judged and applied. */
async function chooseProposals(
  epoch: Epoch,
  { proposals: byValue = [], reInit = true }: CommitOptions,
  knownPsks: PreSharedKeys,
) {
  const { environment, crypto, leafIndex } = epoch
  const { groupContext, tree, proposals: cached } = epoch.public
  const sender: Sender = { senderType: SenderType.member, leafIndex }
  const { addsByValue } = environment.policy
  await checkEach(crypto, byValue, (suite, proposal) =>
    checkProposal(environment, suite, { proposal, sender }, groupContext, tree, 'sender'),
  )
  const prepare = (refs: readonly string[]) => {
    const entries: readonly ProposalOrRef[] = [
      ...refs.map((ref) => ({ type: ProposalOrRefType.reference, reference: fromHex(ref) })),
      ...byValue.map((proposal) => ({ type: ProposalOrRefType.proposal, proposal })),
    ]
    const resolved = resolveProposals(entries, sender, cached, addsByValue)
    const sorted = sortProposals(resolved, sender, tree, environment.policy)
    const prepared = prepareCommit(environment, groupContext, tree, sorted)
    checkMembersAfter(prepared, prepared.treeBeforePath)
    return { entries, prepared, psks: findPreSharedKeys(knownPsks, sorted.preSharedKeys) }
  }
  const isToBeTaken = ([, { proposal }]: readonly [string, SourcedProposal]) =>
    reInit || proposal.proposalType !== ProposalType.reInit
  const candidates = new Map([...cached].filter(isToBeTaken))
  return prepare(selectProposals(candidates, leafIndex, (refs) => succeeds(() => prepare(refs))))
}

function succeeds(attempt: () => unknown): boolean {
  try {
    attempt()
    return true
  } catch (error) {
    if (error instanceof ConclaveError) return false
    throw error
  }
}
