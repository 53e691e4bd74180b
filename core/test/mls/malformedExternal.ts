import { emptyBytes } from '../../src/codec/bytes.ts'
import type { OwnLeaf } from '../../src/mls/bootstrap/index.ts'
import type { Epoch } from '../../src/mls/group/epoch.ts'
import { deriveExternalKey, externalInitContext } from '../../src/mls/treekem/keySchedule.ts'
import type { ProposalOrRef } from '../../src/wire/index.ts'
import { ProposalType } from '../../src/wire/registry.ts'
import { byValue, type CommitPlan, type ForgedCommit, forgeCommit } from './malformed.ts'

/** What an external commit may carry, given the ExternalInit that goes with it. */
export type ExternalProposals = (init: ProposalOrRef) => readonly ProposalOrRef[]

/**
 * RFC 9420 §12.4.3.2 without its checks: the commit of a newcomer, to whom `insider` has told all
 * that a member knows.
 */
export async function forgeExternalCommit(
  insider: Epoch,
  newcomer: OwnLeaf,
  {
    proposals = (init) => [init],
    ...plan
  }: Omit<CommitPlan, 'proposals' | 'newcomer'> & { readonly proposals?: ExternalProposals } = {},
): Promise<ForgedCommit> {
  const { crypto, secrets } = insider
  const { publicKey } = await deriveExternalKey(crypto, secrets)
  const { kemOutput, exported: initSecret } = await crypto.hpkeSealExport(
    publicKey,
    emptyBytes,
    externalInitContext,
    crypto.suite.Nh,
  )
  const epoch = { ...insider, signer: newcomer.signer, secrets: { ...secrets, initSecret } }
  const init = byValue({ proposalType: ProposalType.externalInit, kemOutput })
  return forgeCommit(epoch, { ...plan, newcomer, proposals: proposals(init) })
}
