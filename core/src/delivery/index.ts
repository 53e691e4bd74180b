export * from './envelope.ts'
export * from './protocol.ts'
