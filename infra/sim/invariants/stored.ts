import type { Person } from '../people/person.ts'
import { Violation } from '../violation.ts'

/** What a device keeps whatever meetings it is in: its own key, KeyPackages, whom it has verified. */
const outlasting = ['device-key', 'key-package/', 'verified/']
/** How long a session that has ended may take to delete what it has stored, in milliseconds. */
const wipingMs = 1_000

/**
 * Of a meeting that has ended for somebody nothing is left on the device.
 * @throws Violation `stored-after-the-end`
 */
export function checkWiped({ life, disk, identity }: Person, now: number): void {
  const { endedAt = now } = life ?? {}
  if (now - endedAt < wipingMs) return
  const left = disk.names.filter((name) => !outlasting.some((prefix) => name.startsWith(prefix)))
  if (left.length === 0) return
  throw new Violation('stored-after-the-end', `${identity} has ${left.join(', ')}`)
}
