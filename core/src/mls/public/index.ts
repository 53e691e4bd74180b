export { MlsError, type MlsErrorCode } from '../mlsError.ts'
export type { AddedMember } from './applyProposals.ts'
export { externalSenders, readExtension, requiredCapabilities } from './groupExtensions.ts'
export { checkLifetime, verifyKeyPackage } from './keyPackage.ts'
export { isLastResort } from './lastResort.ts'
export {
  type CustomProposalRules,
  type GroupPolicy,
  type Judge,
  type PublicEnvironment,
  permissivePolicy,
} from './policy.ts'
export { checkProposal } from './proposal.ts'
export type {
  AddEntry,
  ProposalList,
  ReInitProposal,
  RemoveEntry,
  SourcedProposal,
  UpdateEntry,
} from './proposalList.ts'
export { checkWelcome } from './publicCommit.ts'
export { type AcceptedCommit, PublicGroup, type UnverifiedGroup } from './publicGroup.ts'
export { PublicGroupState } from './publicGroupState.ts'
export { readGroupInfo, readKeyPackage, readWelcome } from './readMessage.ts'
