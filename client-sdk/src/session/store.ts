import type { Bytes } from '@conclave/core/codec'

/**
 * Where a session keeps what must survive it. What is handed in is copied and what is handed out is
 * a copy: either is wiped after its use.
 */
export interface SessionStore {
  read(key: string): Promise<Bytes | undefined>
  /** All changes take effect together or not at all; `undefined` deletes. */
  write(changes: ReadonlyMap<string, Bytes | undefined>): Promise<void>
}

/** Forgets everything with the process. */
export function memorySessionStore(): SessionStore {
  const entries = new Map<string, Bytes>()
  return {
    read: async (key) => entries.get(key)?.slice(),
    write: async (changes) => {
      for (const [key, value] of changes) {
        if (value === undefined) entries.delete(key)
        else entries.set(key, value.slice())
      }
    },
  }
}
