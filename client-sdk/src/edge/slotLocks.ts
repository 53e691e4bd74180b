import { SessionError } from '../session/sessionError.ts'
import { memorySlotLocks, type SlotLocks } from '../session/slots.ts'

/** Web Locks: held over all tabs of an origin, until they are released or the tab is gone. */
export function webSlotLocks(manager: LockManager): SlotLocks {
  return {
    tryHold: async (name) => {
      const taken = Promise.withResolvers<(() => void) | undefined>()
      manager
        .request(name, { ifAvailable: true }, async (lock) => {
          if (lock === null) return taken.resolve(undefined)
          const held = Promise.withResolvers<void>()
          taken.resolve(held.resolve)
          await held.promise
        })
        .catch((cause: unknown) => taken.reject(unsupported(cause)))
      return await taken.promise
    },
  }
}

const processLocks = memorySlotLocks()

/** The browser's; in Node the process's own, so that no two processes may share a session store. */
export function platformSlotLocks(): SlotLocks {
  return typeof document !== 'undefined' ? webSlotLocks(navigator.locks) : processLocks
}

function unsupported(cause: unknown): SessionError {
  return new SessionError('platform-unsupported', 'tabs cannot tell each other apart here', {
    cause,
    remedy: 'Serve the page over https, from an origin of its own.',
  })
}
