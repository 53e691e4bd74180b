import { setImmediate } from 'node:timers/promises'
import { storeIn } from './storeFiles.ts'

/** Takes a lock of the store in a directory, says whether it got it, and keeps it until it is killed. */
const [directory = '', name = ''] = process.argv.slice(2)

const isHeld = (await storeIn(directory).hold(name)) !== undefined
// What releases the lock is garbage by now, and the lock is held all the same.
await setImmediate()
global.gc?.()
await setImmediate()
process.stdout.write(isHeld ? 'held\n' : 'taken\n')
setInterval(() => {}, 60_000)
