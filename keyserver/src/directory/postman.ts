import type { Clock } from '@conclave/core'
import type { ServerNotices } from '@conclave/core/delivery'
import type { Logger } from 'pino'
import { type KeyserverObserver, type ObservedGroup, silentObserver } from '../observer.ts'
import type { WelcomePart } from '../store/store.ts'
import { StoreError } from '../store/storeError.ts'
import type { DirectoryDevice, DirectoryLimits, DirectoryStore } from './directory.ts'
import { mailMs } from './limits.ts'

/** Waits before a Welcome is tried again where the store cannot be reached: five minutes in all. */
const retryMs = [1, 2, 4, 8, 15, 30, 60, 60, 60, 60].map((seconds) => seconds * 1000)

/** Tells every connection of an identity of what concerns one of its devices. */
export type NotifyIdentity = {
  readonly [N in 'stockLow' | 'mail']: (identity: string, notice: ServerNotices[N]) => void
}

export interface Postman {
  readonly observer: KeyserverObserver
  /** Lets what is under way end, and tries nothing again. */
  close(): Promise<void>
}

/** Takes the Welcomes of each commit to the mailboxes of those who had been claimed. */
export function postman({
  store,
  clock,
  logger,
  limits,
  notify,
}: {
  readonly store: DirectoryStore
  readonly clock: Clock
  readonly logger: Logger
  readonly limits: DirectoryLimits
  readonly notify: NotifyIdentity
}): Postman {
  const pauses = new Set<() => void>()
  const rounds = new Set<Promise<void>>()
  let closed = false
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const end = () => {
        cancel()
        pauses.delete(end)
        resolve()
      }
      const cancel = clock.setTimer(ms, end)
      pauses.add(end)
    })

  const deliver = async (
    { meetingId, groupId, epoch }: ObservedGroup,
    seq: number,
    device: DirectoryDevice,
    { ref, welcome }: WelcomePart,
  ): Promise<void> => {
    const mail = { meetingId, groupId, ref, welcome, seq }
    for (const ms of [...retryMs, undefined]) {
      try {
        const now = clock.now()
        const { identity, deviceKey } = device
        const isThere = await store.deliver(device, mail, now + mailMs, limits, now)
        if (isThere) notify.mail(identity, { deviceKey })
        return
      } catch (error) {
        // Whether it was delivered is unknown; a second time changes nothing.
        if (!(error instanceof StoreError) || ms === undefined || closed) throw error
        logger.warn(
          { meeting: meetingId, epoch, code: error.code },
          'a Welcome waits for the store',
        )
        await pause(ms)
      }
    }
  }

  return {
    observer: {
      ...silentObserver,
      committed(group, { seq, added, welcomeParts }) {
        const deliverAll = async () => {
          for (const part of welcomeParts) {
            const member = added.find(({ leaf }) => leaf === part.leafIndex)
            if (member !== undefined) await deliver(group, seq, member, part)
          }
        }
        const round = deliverAll()
          .catch((error: unknown) => {
            const { meetingId: meeting, epoch } = group
            // A StoreError's cause may quote what was to be stored.
            const why = error instanceof StoreError ? { code: error.code } : { err: error }
            logger.error({ meeting, epoch, ...why }, 'Welcomes were not delivered')
          })
          .finally(() => rounds.delete(round))
        rounds.add(round)
      },
    },
    async close() {
      closed = true
      for (const end of pauses) end()
      await Promise.all(rounds)
    },
  }
}
