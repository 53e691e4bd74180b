import type { SessionStore } from '../../src/index.ts'
import { roundChanges, roundsIn } from './rounds.ts'
import { storeIn } from './storeFiles.ts'

/** Writes rounds until it is killed, and says each that is kept; `torn` is the planted fault. */
const [directory = '', mode] = process.argv.slice(2)

const store = storeIn(directory)
const write = mode === 'torn' ? torn(store) : store.write

let round = Math.max(...(await roundsIn(store)))
for (;;) {
  round += 1
  await write(roundChanges(round))
  process.stdout.write(`${round}\n`)
}

/** One change after the other. */
function torn(store: SessionStore): SessionStore['write'] {
  return async (changes) => {
    for (const change of changes) await store.write(new Map([change]))
  }
}
