import { equalBytes, toHex } from '@conclave/core/codec'
import type { ServerNotices } from '@conclave/core/delivery'

/** What a keyserver may have us keep that we have not come to yet. */
const maxQueued = 4096
const maxQueuedBytes = 16 << 20

export type Notice = {
  readonly [N in keyof ServerNotices]: { readonly name: N; readonly notice: ServerNotices[N] }
}[keyof ServerNotices]

/**
 * Notices that have come and wait for their turn, bounded in number and bytes. Of those that an
 * earlier one says nothing beside only the newest is kept; what finds no room is dropped and has to be asked for again.
 */
export class NoticeQueue {
  readonly #queued: Notice[] = []
  #bytes = 0
  #dropped = false

  get isEmpty(): boolean {
    return this.#queued.length === 0
  }

  /** Whether something has been dropped since this was asked last. */
  takeDropped(): boolean {
    const dropped = this.#dropped
    this.#dropped = false
    return dropped
  }

  offer(added: Notice): void {
    const stale = replacesEarlier(added)
      ? this.#queued.findIndex(({ name }) => name === added.name)
      : -1
    const notice = withKeyPackagesOf(stale < 0 ? undefined : this.#remove(stale), added)
    const bytes = sizeOf(notice)
    if (this.#queued.length >= maxQueued || this.#bytes + bytes > maxQueuedBytes) {
      this.#dropped = true
      return
    }
    this.#queued.push(notice)
    this.#bytes += bytes
  }

  /** The oldest. */
  take(): Notice | undefined {
    return this.#remove(0)
  }

  clear(): void {
    this.#queued.length = 0
    this.#bytes = 0
  }

  #remove(index: number): Notice | undefined {
    const [removed] = this.#queued.splice(index, 1)
    if (removed !== undefined) this.#bytes -= sizeOf(removed)
    return removed
  }
}

function replacesEarlier({ name }: Notice): boolean {
  return name === 'waiting' || name === 'present' || name === 'offered' || name === 'statusWanted'
}

/** A waiting list has no KeyPackages of those whom the one before it has named. */
function withKeyPackagesOf(stale: Notice | undefined, added: Notice): Notice {
  if (stale?.name !== 'waiting' || added.name !== 'waiting') return added
  const { groupId, joiners } = added.notice
  if (!equalBytes(stale.notice.groupId, groupId)) return added
  const known = new Map(stale.notice.joiners.map(({ ref, keyPackage }) => [toHex(ref), keyPackage]))
  const whole = joiners.map(({ ref, keyPackage }) => ({
    ref,
    keyPackage: keyPackage.length > 0 ? keyPackage : (known.get(toHex(ref)) ?? keyPackage),
  }))
  return { name: 'waiting', notice: { groupId, joiners: whole } }
}

/** Bytes of the messages in it. */
function sizeOf({ name, notice }: Notice): number {
  switch (name) {
    case 'entry':
      return notice.entry.message.length
    case 'message':
      return notice.message.length
    case 'welcome':
      return notice.welcome.length
    case 'waiting':
      return notice.joiners.reduce((sum, { keyPackage }) => sum + keyPackage.length, 0)
    default:
      return 0
  }
}
