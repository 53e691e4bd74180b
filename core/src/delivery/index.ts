export * from './envelope.ts'
export * from './protocol.ts'
export * from './removalLedger.ts'
