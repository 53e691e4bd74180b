export type {
  Administration,
  LogLine,
  MeetingView,
  RosterEntry,
} from './administration.ts'
export {
  firstOf,
  type HttpHandler,
  handleDevelopmentTokens,
  handleHealth,
} from './edge/httpHandlers.ts'
export { systemClock, systemRandom } from './edge/systemRuntime.ts'
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
export type { Store } from './store/store.ts'
