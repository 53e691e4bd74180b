import type { Bytes } from '@conclave/core/codec'

/**
 * Where a session keeps what must survive it. What is handed in is copied by the call itself and
 * what is handed out is a copy: either is wiped after its use. Calls take effect in the order they
 * are made in, whether or not the one before has been waited for. Keys are well-formed Unicode.
 *
 * A store that was set back as a whole, to a copy made earlier, cannot tell.
 */
export interface SessionStore {
  /** @throws SessionError `store-corrupted`, `store-unavailable` */
  read(key: string): Promise<Bytes | undefined>
  /**
   * All changes take effect together or not at all; `undefined` deletes. Resolves once they outlast
   * a crash.
   * @throws SessionError `store-unavailable`
   */
  write(changes: ReadonlyMap<string, Bytes | undefined>): Promise<void>
  /**
   * Every key that begins with `prefix`, in any order.
   * @throws SessionError `store-corrupted`, `store-unavailable`
   */
  keys(prefix: string): Promise<readonly string[]>
}

/** Forgets everything with the process; what is deleted or replaced is wiped. */
export function memorySessionStore(): SessionStore {
  const entries = new Map<string, Bytes>()
  return {
    read: async (key) => entries.get(key)?.slice(),
    write: async (changes) => {
      for (const [key, value] of changes) {
        entries.get(key)?.fill(0)
        if (value === undefined) entries.delete(key)
        else entries.set(key, value.slice())
      }
    },
    keys: async (prefix) => [...entries.keys()].filter((key) => key.startsWith(prefix)),
  }
}
