import type { Bytes } from '../../codec/bytes.ts'
import type { Extensions } from '../../wire/extension.ts'
import type { KeyPackage } from '../../wire/keyPackage.ts'
import type { PreSharedKeyId, Proposal } from '../../wire/proposal.ts'
import type { Lifetime } from '../../wire/ratchetTree.ts'
import { ProposalType, ProtocolVersion, PskType, ResumptionPskUsage } from '../../wire/registry.ts'
import type { OwnLeaf } from '../bootstrap/keyPackageBundle.ts'
import { MlsError } from '../mlsError.ts'
import type { ReInitProposal } from '../public/proposalList.ts'
import { type CommitOptions, createCommit } from './commit.ts'
import { checkMembersContinue } from './continuation.ts'
import { foundEpoch } from './enter.ts'
import { type Epoch, type GroupEnvironment, wipeEpoch } from './epoch.ts'
import type { PendingCommit } from './pendingCommit.ts'
import { preSharedKeysOf } from './preSharedKeys.ts'

/** Who founds the group that continues another, and whom it takes along. */
export interface Continuing {
  readonly own: OwnLeaf
  readonly lifetime: Lifetime
  /** Fresh KeyPackages of the other members. */
  readonly keyPackages: readonly KeyPackage[]
  readonly commit?: Pick<CommitOptions, 'groupInfo' | 'authenticatedData' | 'encrypted'>
}

export interface Branching extends Continuing {
  readonly groupId: Bytes
  /** Of the new GroupContext. */
  readonly extensions: Extensions
}

/**
 * RFC 9420 §11.2: the commit that founds the group which `old` has agreed to be followed by.
 * @throws MlsError `continuation-mismatch`, `continuation-members-differ`, or what the policy throws
 */
export async function createReInit(
  environment: GroupEnvironment,
  old: Epoch,
  continuing: Continuing,
): Promise<PendingCommit> {
  const { reInit } = old.public
  if (reInit === undefined) {
    throw new MlsError('continuation-mismatch', 'the group has not been reinitialised')
  }
  return foundContinuation(environment, old, continuing, reInit, ResumptionPskUsage.reInit)
}

/**
 * RFC 9420 §11.3: the commit that founds a group of some of `old`'s members.
 * @throws MlsError `continuation-members-differ`, or what the policy throws
 */
export function createBranch(
  environment: GroupEnvironment,
  old: Epoch,
  branching: Branching,
): Promise<PendingCommit> {
  const { version, cipherSuite } = old.public.groupContext
  const { groupId, extensions } = branching
  const parameters = { groupId, extensions, version, cipherSuite }
  return foundContinuation(environment, old, branching, parameters, ResumptionPskUsage.branch)
}

type GroupParameters = Omit<ReInitProposal, 'proposalType'>

async function foundContinuation(
  environment: GroupEnvironment,
  old: Epoch,
  { own, lifetime, keyPackages, commit }: Continuing,
  { groupId, cipherSuite, extensions, version }: GroupParameters,
  usage: number,
): Promise<PendingCommit> {
  if (version !== ProtocolVersion.mls10) {
    throw new MlsError('continuation-mismatch', `no protocol version ${version}`)
  }
  const founding = { cipherSuite, groupId, own, lifetime, extensions }
  const first = await foundEpoch(environment, founding)
  try {
    const { groupId: pskGroupId, epoch: pskEpoch } = old.public.groupContext
    const psk: PreSharedKeyId = {
      pskType: PskType.resumption,
      usage,
      pskGroupId,
      pskEpoch,
      pskNonce: first.crypto.random(first.crypto.suite.Nh),
    }
    const proposals: readonly Proposal[] = [
      ...keyPackages.map((keyPackage) => ({ proposalType: ProposalType.add, keyPackage }) as const),
      { proposalType: ProposalType.psk, psk },
    ]
    const pending = await createCommit(
      first,
      { ...commit, proposals },
      { knownPsks: preSharedKeysOf(old), founds: true },
    )
    try {
      checkMembersContinue(environment.policy, old.public.tree, pending.effect.tree, usage)
      return pending
    } catch (error) {
      pending.discard()
      throw error
    }
  } catch (error) {
    wipeEpoch(first)
    throw error
  }
}
