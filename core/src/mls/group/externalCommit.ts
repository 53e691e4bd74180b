import { type Bytes, emptyBytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import type { ProposalOrRef } from '../../wire/commit.ts'
import { ExternalPub } from '../../wire/extension.ts'
import { MlsMessage, type PublicMessage, type Sender } from '../../wire/framing.ts'
import type { PreSharedKeyId, Proposal } from '../../wire/proposal.ts'
import { type LeafIndex, RatchetTree } from '../../wire/ratchetTree.ts'
import {
  ExtensionType,
  ProposalOrRefType,
  ProposalType,
  ProtocolVersion,
  SenderType,
  WireFormat,
} from '../../wire/registry.ts'
import type { GroupInfo } from '../../wire/welcome.ts'
import type { OwnLeaf } from '../bootstrap/keyPackageBundle.ts'
import { MlsError } from '../mlsError.ts'
import { readExtension } from '../public/groupExtensions.ts'
import { checkProposal } from '../public/proposal.ts'
import { resolveProposals } from '../public/proposalList.ts'
import { sortProposals } from '../public/proposalRules.ts'
import { prepareCommit } from '../public/publicCommit.ts'
import { PublicGroup } from '../public/publicGroup.ts'
import { externalInitContext } from '../treekem/keySchedule.ts'
import { PrivateTree } from '../treekem/privateTree.ts'
import { suiteOf } from './enter.ts'
import type { GroupEnvironment } from './epoch.ts'
import type { GroupInfoOptions } from './groupInfo.ts'
import { History } from './history.ts'
import { makeCommit } from './makeCommit.ts'
import { PendingCommit } from './pendingCommit.ts'
import { applicationPsks, findPreSharedKeys } from './preSharedKeys.ts'
import { defaultRetention } from './retention.ts'

/** What somebody needs to join without being added (RFC 9420 §12.4.3.2). */
export interface ExternalJoining {
  /** With `external_pub`. */
  readonly groupInfo: GroupInfo
  /** The tree, where the GroupInfo does not hold it. */
  readonly ratchetTree?: RatchetTree
  readonly own: OwnLeaf
  /** A leaf of ours that this one takes the place of, "resync" (RFC 9420 §12.4.3.2). */
  readonly replaces?: LeafIndex
  /** SelfRemoves of this epoch, which a newcomer has to commit with (extensions draft). */
  readonly selfRemoves?: readonly PublicMessage[]
  readonly preSharedKeys?: readonly PreSharedKeyId[]
  readonly authenticatedData?: Bytes
  /** Of the GroupInfo of the epoch that this commit begins. */
  readonly groupInfoOptions?: GroupInfoOptions
  /**
   * 'later' where the commit is to be on its way before each leaf of a large tree has been verified:
   * the caller then has to call `PendingCommit.verifyLeaves`. 'first' where left out.
   */
  readonly leafChecks?: 'first' | 'later'
}

/**
 * RFC 9420 §12.4.3.2: the commit by which somebody enters without being added.
 * @throws MlsError `external-pub-missing`, `welcome-tree-missing`, or what the policy throws
 */
export async function createExternalCommit(
  environment: GroupEnvironment,
  joining: ExternalJoining,
): Promise<PendingCommit> {
  const { groupInfo, own } = joining
  const crypto = suiteOf(environment, groupInfo.groupContext.cipherSuite)
  const external = readExtension(groupInfo.extensions, ExtensionType.externalPub, ExternalPub)
  if (external === undefined) {
    throw new MlsError('external-pub-missing', 'the GroupInfo lets nobody join from outside')
  }
  const { group, verifyLeaves } = await openGroup(environment, joining)
  const { kemOutput, exported: initSecret } = await crypto.hpkeSealExport(
    external.externalPub,
    emptyBytes,
    externalInitContext,
    crypto.suite.Nh,
  )
  try {
    const chosen = await chooseProposals(environment, group, joining, kemOutput)
    const sender: Sender = { senderType: SenderType.newMemberCommit }
    const { committer: leafIndex } = chosen.prepared.proposals
    const made = await makeCommit(
      {
        environment,
        crypto,
        group,
        sender,
        leafIndex,
        initSecret,
        signer: own.signer,
        privateTree: new PrivateTree(leafIndex, new Map()),
        history: new History(environment.retention ?? defaultRetention),
        wireFormat: WireFormat.publicMessage,
        protect: async ({ content, auth }) =>
          encode(MlsMessage, {
            version: ProtocolVersion.mls10,
            wireFormat: WireFormat.publicMessage,
            publicMessage: { content, auth },
          }),
      },
      {
        ...chosen,
        authenticatedData: joining.authenticatedData ?? emptyBytes,
        leaf: own,
        leafIsNew: true,
        groupInfo: joining.groupInfoOptions,
      },
    )
    return new PendingCommit({ ...made, previous: undefined, verifyLeaves })
  } finally {
    initSecret.wipe()
  }
}

async function openGroup(
  environment: GroupEnvironment,
  { groupInfo, ratchetTree, selfRemoves, leafChecks }: ExternalJoining,
): Promise<{ group: PublicGroup; verifyLeaves?: () => Promise<void> }> {
  const nodes =
    readExtension(groupInfo.extensions, ExtensionType.ratchetTree, RatchetTree) ?? ratchetTree
  if (nodes === undefined) throw new MlsError('welcome-tree-missing', 'no ratchet tree was given')
  const opened =
    leafChecks === 'later'
      ? await PublicGroup.openUnverified(environment, groupInfo, nodes)
      : { group: await PublicGroup.open(environment, groupInfo, nodes) }
  let { group } = opened
  for (const message of selfRemoves ?? []) ({ group } = await group.withProposal(message))
  return { ...opened, group }
}

async function chooseProposals(
  environment: GroupEnvironment,
  group: PublicGroup,
  { replaces, preSharedKeys }: ExternalJoining,
  kemOutput: Bytes,
) {
  const { crypto, groupContext, tree, selfRemoves } = group
  const sender: Sender = { senderType: SenderType.newMemberCommit }
  const byValue: readonly Proposal[] = [
    { proposalType: ProposalType.externalInit, kemOutput },
    ...(replaces === undefined
      ? []
      : [{ proposalType: ProposalType.remove, removed: replaces } as const]),
    ...(preSharedKeys ?? []).map((psk) => ({ proposalType: ProposalType.psk, psk }) as const),
  ]
  for (const proposal of byValue) {
    await checkProposal(environment, crypto, { proposal, sender }, groupContext, tree)
  }
  const entries: readonly ProposalOrRef[] = [
    ...byValue.map((proposal) => ({ type: ProposalOrRefType.proposal, proposal })),
    ...Array.from(selfRemoves.values(), (reference) => ({
      type: ProposalOrRefType.reference,
      reference,
    })),
  ]
  const resolved = resolveProposals(entries, sender, group.proposals)
  const sorted = sortProposals(resolved, sender, tree, environment.policy)
  return {
    entries,
    prepared: prepareCommit(environment, groupContext, tree, sorted),
    psks: findPreSharedKeys(applicationPsks(environment), sorted.preSharedKeys),
  }
}
