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
   * What is there under a key or, where nothing is, the value, written. Of several tabs or processes
   * that make it at the same time, all get the same.
   * @throws SessionError `store-corrupted`, `store-unavailable`
   */
  readOrWrite(key: string, value: Bytes): Promise<Bytes>
  /**
   * Every key that begins with `prefix`, in any order.
   * @throws SessionError `store-corrupted`, `store-unavailable`
   */
  keys(prefix: string): Promise<readonly string[]>
  /**
   * Takes a lock that nobody holds, of all that share what this store lies in, and gives what
   * releases it, to be called any number of times; undefined where somebody holds it and, seldom,
   * where nobody does. Released at the latest when the tab or process ends, however it does. Whoever
   * takes it after a release gets it. Locks are not entries, and have names of their own.
   * @throws SessionError `platform-unsupported`, `store-corrupted`, `store-unavailable`
   */
  hold(name: string): Promise<(() => void) | undefined>
}

/** Forgets everything with the process; what is deleted or replaced is wiped. */
export function memorySessionStore(): SessionStore {
  const entries = new Map<string, Bytes>()
  const holders = new Map<string, object>()
  return {
    read: async (key) => entries.get(key)?.slice(),
    write: async (changes) => {
      for (const [key, value] of changes) {
        entries.get(key)?.fill(0)
        if (value === undefined) entries.delete(key)
        else entries.set(key, value.slice())
      }
    },
    readOrWrite: async (key, value) => {
      const held = entries.get(key) ?? value.slice()
      entries.set(key, held)
      return held.slice()
    },
    keys: async (prefix) => [...entries.keys()].filter((key) => key.startsWith(prefix)),
    hold: async (name) => {
      if (holders.has(name)) return undefined
      const holder = {}
      holders.set(name, holder)
      return () => {
        if (holders.get(name) === holder) holders.delete(name)
      }
    },
  }
}
