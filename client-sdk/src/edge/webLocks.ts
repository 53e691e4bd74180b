import { SessionError } from '../session/sessionError.ts'

/** The browser releases a lock in its own time: what this page has let go but may hold still. */
const leaving = new Set<Promise<void>>()

/**
 * Takes a lock of the origin's that no tab holds, and gives what releases it; undefined where one
 * does. The browser releases it when the tab is closed or crashes.
 * @throws SessionError `platform-unsupported`
 */
export async function holdWebLock(name: string): Promise<(() => void) | undefined> {
  await Promise.all(leaving)
  const taken = Promise.withResolvers<boolean>()
  const held = Promise.withResolvers<void>()
  const released = lockManager()
    .request(name, { ifAvailable: true }, async (lock) => {
      taken.resolve(lock !== null)
      if (lock !== null) await held.promise
    })
    .catch((cause: unknown) => taken.reject(unsupported(cause)))
  if (!(await taken.promise)) return undefined
  return () => {
    held.resolve()
    leaving.add(released)
    void released.then(() => leaving.delete(released))
  }
}

function lockManager(): LockManager {
  // Where the page did not come over https there is none.
  const { locks }: { readonly locks?: LockManager } = navigator
  if (locks === undefined) throw unsupported()
  return locks
}

function unsupported(cause?: unknown): SessionError {
  return new SessionError('platform-unsupported', 'tabs cannot tell each other apart here', {
    cause,
    remedy: 'Serve the page over https, from an origin of its own.',
  })
}
