export type { CommitEffect } from '../public/publicCommit.ts'
export { noPadding, type Padding, padme, padToMultipleOf } from '../treedem/padding.ts'
export type { CommitOptions } from './commit.ts'
export type { Branching, Continuing } from './continueGroup.ts'
export type { Founding, Joining } from './enter.ts'
export type { GroupEnvironment } from './epoch.ts'
export type { ExternalJoining } from './externalCommit.ts'
export { FutureMessages } from './futureMessages.ts'
export { Group, type HandshakeOptions, type OwnProposal, type Received } from './group.ts'
export type { GroupInfoOptions } from './groupInfo.ts'
export type { ApplicationMessage } from './incoming.ts'
export type { PendingCommit } from './pendingCommit.ts'
export {
  defaultFutureLimits,
  defaultRetention,
  type FutureLimits,
  type Retention,
} from './retention.ts'
export type { StateOptions } from './state.ts'
