export type {
  Administration,
  LogLine,
  MeetingView,
  RosterEntry,
} from './administration.ts'
export type { DirectoryStore } from './directory/directory.ts'
export { memoryDirectory } from './directory/memoryDirectory.ts'
export { redisDirectory } from './directory/redis/redisDirectory.ts'
export {
  firstOf,
  type HttpHandler,
  handleDevelopmentTokens,
  handleHealth,
} from './edge/httpHandlers.ts'
export { systemClock, systemRandom } from './edge/systemRuntime.ts'
export { webhookSender } from './edge/webhookSender.ts'
export { bullJobs } from './jobs/bullJobs.ts'
export type {
  DeadLetter,
  DeadLetters,
  Job,
  JobRun,
  JobService,
  Jobs,
  WebhookEvent,
} from './jobs/jobs.ts'
export { timerJobs } from './jobs/timerJobs.ts'
export {
  createKeyserver,
  defaultGraceMs,
  defaultPath,
  type Keyserver,
  type KeyserverHealth,
  type KeyserverOptions,
} from './keyserver.ts'
export { defaultLimits, type KeyserverLimits } from './limits.ts'
export { type KeyserverObserver, observers, silentObserver } from './observer.ts'
export {
  commonRemovalSigner,
  generateRemovalSigner,
  type RemovalSigner,
} from './removalSigner.ts'
export { memoryStore } from './store/memoryStore.ts'
export { connectRedis } from './store/redis/connectRedis.ts'
export { redisFanout } from './store/redis/fanout.ts'
export { redisStore } from './store/redis/redisStore.ts'
export type { Store } from './store/store.ts'
export { StoreError, type StoreErrorCode } from './store/storeError.ts'
export { webhookObserver } from './webhooks/webhookObserver.ts'
