import { toHex } from '@conclave/core/codec'
import type { NamedDevice, Participant, Roster } from './roster.ts'

/**
 * Which leaf of a group has become which of the one that continues it. Whoever founds that has its
 * first leaf and adds the others in their old order; tabs of one device cannot be told from each
 * other in another way. Whoever has no leaf in either is left out.
 */
export function movedLeaves(before: Roster, after: Roster): ReadonlyMap<number, number> {
  const [old, now] = [before.participants, after.participants]
  const [names, next] = [old.map(nameOf), now.map(nameOf)]
  for (const [founder, name] of names.entries()) {
    if (name !== next[0] || old.length !== now.length) continue
    const order = [founder, ...[...old.keys()].filter((i) => i !== founder)]
    if (!order.every((from, to) => names[from] === next[to])) continue
    return new Map(order.map((from, to) => [leafOf(old, from), leafOf(now, to)]))
  }
  return matched(old, now)
}

/** Device by device, in the order of their leaves. */
function matched(
  old: readonly Participant[],
  now: readonly Participant[],
): ReadonlyMap<number, number> {
  const free = new Map<string, Participant[]>()
  for (const each of now) free.set(nameOf(each), [...(free.get(nameOf(each)) ?? []), each])
  const moved = new Map<number, number>()
  for (const each of old) {
    const next = free.get(nameOf(each))?.shift()
    if (next !== undefined) moved.set(each.leaf, next.leaf)
  }
  return moved
}

function leafOf(participants: readonly Participant[], index: number): number {
  return (participants[index] as Participant).leaf
}

function nameOf({ identity, deviceKey }: NamedDevice): string {
  return `${toHex(deviceKey)} ${identity}`
}
