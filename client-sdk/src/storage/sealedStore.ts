import { Lane } from '@conclave/core'
import type { Bytes } from '@conclave/core/codec'
import type { SessionStore } from '../session/store.ts'
import type { EntryCipher, SealedEntry } from './entryCipher.ts'

/** Where sealed entries lie: an opened database, and what its entries are sealed with. */
export interface SealedEntries {
  readonly cipher: EntryCipher
  readonly sealedValue: (id: Bytes) => Promise<Bytes | undefined>
  readonly sealedNames: () => Promise<readonly Pick<SealedEntry, 'id' | 'name'>[]>
  /** The sealed value of the entry that is there, which is this one where none was. */
  readonly add: (entry: SealedEntry) => Promise<Bytes>
  /** All of it or nothing; resolves once it outlasts a crash. */
  readonly change: (put: readonly SealedEntry[], deleted: readonly Bytes[]) => Promise<void>
}

/**
 * A store over sealed entries, with the locks of what they lie in. `open` is asked before each use,
 * and gives what is open already where it can.
 */
export function sealedStore(
  open: () => Promise<SealedEntries>,
  hold: SessionStore['hold'],
): SessionStore {
  // Sealing takes its time, and a later write must not overtake an earlier one by it.
  const lane = new Lane()
  return {
    read: (key) =>
      lane.run(async () => {
        const { cipher, sealedValue } = await open()
        const sealed = await sealedValue(await cipher.id(key))
        return sealed === undefined ? undefined : await cipher.openValue(key, sealed)
      }),
    write: (changes) => {
      const copies = [...changes].map(([key, value]) => ({ key, value: value?.slice() }))
      return lane.run(async () => {
        try {
          const { cipher, change } = await open()
          const put: SealedEntry[] = []
          const deleted: Bytes[] = []
          for (const { key, value } of copies) {
            if (value === undefined) deleted.push(await cipher.id(key))
            else put.push(await cipher.seal(key, value))
          }
          await change(put, deleted)
        } finally {
          for (const { value } of copies) value?.fill(0)
        }
      })
    },
    readOrWrite: (key, value) => {
      const copy = value.slice()
      return lane.run(async () => {
        try {
          const { cipher, add } = await open()
          return await cipher.openValue(key, await add(await cipher.seal(key, copy)))
        } finally {
          copy.fill(0)
        }
      })
    },
    keys: (prefix) =>
      lane.run(async () => {
        const { cipher, sealedNames } = await open()
        const keys = await Promise.all((await sealedNames()).map((each) => cipher.openName(each)))
        return keys.filter((key) => key.startsWith(prefix))
      }),
    // A lock waits for no entry.
    hold,
  }
}
