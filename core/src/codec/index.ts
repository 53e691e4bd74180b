export type { Reader, Writer } from './buffers.ts'
export * from './bytes.ts'
export { CodecError, type CodecErrorCode } from './codecError.ts'
export * from './tls.ts'
