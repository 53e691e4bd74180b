export * from './envelope.ts'
export * from './packing.ts'
export * from './protocol.ts'
export * from './removalLedger.ts'
