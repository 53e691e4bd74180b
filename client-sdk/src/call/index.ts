export type { ServerConnection } from '../edge/serverConnection.ts'
export {
  type Call,
  type CallOptions,
  connectCall,
  type PublishOptions,
} from './call.ts'
export { CallError, type CallErrorCode } from './callError.ts'
export type { CallEvents, RemoteTrack } from './callEvents.ts'
export type { MediaProtection } from './mediaProtection.ts'
export type { Publication, PublishEncoding } from './publication.ts'
