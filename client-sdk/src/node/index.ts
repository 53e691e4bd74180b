export { type FileStoreOptions, fileStore } from './fileStore.ts'
