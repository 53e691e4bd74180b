export * from './meetingExtension.ts'
export * from './meetingPolicy.ts'
export * from './memberExtension.ts'
