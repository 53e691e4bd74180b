import { toHex } from '@conclave/core/codec'
import { systemRandom } from '../../src/index.ts'
import { storeIn } from './storeFiles.ts'

/** Makes a value in the store of a directory, and says what is there then. */
const [directory = ''] = process.argv.slice(2)
const store = storeIn(directory)
process.stdout.write(toHex(await store.readOrWrite('a', systemRandom(32))))
