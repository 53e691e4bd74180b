import { memoryDirectory } from '../../src/directory/memoryDirectory.ts'
import { describeDirectory } from './directoryContract.ts'

describeDirectory('the in-memory directory', async () => memoryDirectory())
