import type { Bytes } from '@conclave/core/codec'
import { encodeRemovalEnvelope } from '@conclave/core/delivery'
import type { PresenceView } from '../store/store.ts'

const absent = encodeRemovalEnvelope({ reason: 'absent' })
const idle = encodeRemovalEnvelope({ reason: 'idle' })
const left = encodeRemovalEnvelope({ reason: 'left' })

/**
 * Whom the keyserver proposes to remove, with what it says of each. Whoever goes by a word goes by
 * that, whatever else is due.
 * @param settled whether members have had the time to renew their keys since this instance serves
 *   the group: while no instance did, nobody could
 */
export function removalsDue(
  view: PresenceView,
  { settled }: { readonly settled: boolean },
): ReadonlyMap<number, Bytes> {
  const due = new Map<number, Bytes>()
  if (settled) for (const leaf of view.idle) due.set(leaf, idle)
  for (const leaf of view.overdue) due.set(leaf, absent)
  for (const leaf of view.leaving) due.set(leaf, view.requests.get(leaf) ?? left)
  return due
}
