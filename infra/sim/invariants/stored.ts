import { type Bytes, toHex } from '@conclave/core/codec'
import type { Group } from '@conclave/core/mls/group'
import type { Life } from '../people/life.ts'
import type { Person } from '../people/person.ts'
import { Violation } from '../violation.ts'
import { epochSecrets } from './secrets.ts'

/** What a device keeps whatever meetings it is in: its own key, KeyPackages, whom it has verified. */
const outlasting = ['device-key', 'key-package/', 'verified/']
/** How long a session that has ended may take to delete what it has stored, in milliseconds. */
const wipingMs = 1_000

/**
 * Of a meeting that has ended for somebody nothing is left on the device, unless its last process has
 * never come as far as to look: what an earlier one left when it died is for the next one then.
 * @throws Violation `stored-after-the-end`
 */
export function checkWiped({ life, disk, identity }: Person, now: number): void {
  const { endedAt = now, hasConnected = true } = life ?? {}
  if (now - endedAt < wipingMs || !hasConnected) return
  const left = disk.names.filter((name) => !outlasting.some((prefix) => name.startsWith(prefix)))
  if (left.length === 0) return
  throw new Violation('stored-after-the-end', `${identity} has ${left.join(', ')}`)
}

/** How many of somebody's newest epochs are looked for. */
const lookedFor = 6

interface EpochOfSomebody {
  readonly name: string
  readonly secrets: readonly Bytes[]
}

/** Which epochs' secrets are on the devices of those who have been in them. */
export class StoredSecrets {
  /** By identity, newest last. */
  readonly #epochs = new Map<string, EpochOfSomebody[]>()
  /** By identity, how often the device had been written to when it was looked at. */
  readonly #looked = new Map<string, number>()

  epochBegan({ identity, crypto }: Life, { groupId, epoch }: Group): void {
    const epochs = this.#epochs.get(identity) ?? []
    this.#epochs.set(identity, epochs)
    const name = `${toHex(groupId)} ${epoch}`
    // A process that goes on where another has died is in the same epoch again.
    if (epochs.some((known) => known.name === name)) return
    const known = new Set(epochs.flatMap(({ secrets }) => secrets.map(toHex)))
    const secrets = crypto.held(epochSecrets).filter((secret) => !known.has(toHex(secret)))
    epochs.push({ name, secrets })
    this.#looked.delete(identity)
    if (epochs.length > lookedFor) epochs.shift()
  }

  /**
   * A device has stored one epoch, and the one that a commit of its own would begin.
   * @throws Violation `stored-secret-outlives-its-epoch`
   */
  check({ identity, disk }: Person): void {
    if (this.#looked.get(identity) === disk.writes) return
    this.#looked.set(identity, disk.writes)
    const stored = (this.#epochs.get(identity) ?? []).flatMap(({ secrets }, i) =>
      secrets.some((secret) => disk.holds(secret)) ? [i] : [],
    )
    const [oldest = 0, newest = 0] = [stored.at(0), stored.at(-1)]
    if (newest - oldest <= 1) return
    throw new Violation(
      'stored-secret-outlives-its-epoch',
      `the device of ${identity} has secrets of an epoch that ended ${newest - oldest} before`,
    )
  }
}
