export { ConclaveError } from './error.ts'
export type { Clock, RandomBytes } from './runtime.ts'
