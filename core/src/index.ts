export { ConclaveError } from './error.ts'
export { Lane } from './lane.ts'
export type { Clock, RandomBytes } from './runtime.ts'
