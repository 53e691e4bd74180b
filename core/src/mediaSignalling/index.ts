export * from './protocol.ts'
export * from './rtp.ts'
export * from './source.ts'
