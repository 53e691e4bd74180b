import type { Clock } from '@conclave/core'

export interface PresenceEvents {
  /** Which leaves are connected has changed. */
  changed(): void
  /** A leaf has had no connection for the grace period. */
  overdue(leaf: number): void
  /** For the grace period nobody was there who could commit. */
  deserted(): void
}

/**
 * Which leaves of a group are connected. A leaf counts as absent from the moment it is added until
 * it attaches; one that comes back within the grace period is left alone.
 */
export class Presence {
  readonly #clock: Clock
  readonly #graceMs: number
  readonly #events: PresenceEvents
  readonly #connections = new Map<number, Set<string>>()
  readonly #leafOf = new Map<string, number>()
  readonly #graces = new Map<number, () => void>()
  readonly #absent = new Set<number>()
  readonly #leaving = new Set<number>()
  #condemned: ReadonlySet<number> = new Set()
  #cancelDesertion: (() => void) | undefined
  #deserted = false

  constructor(clock: Clock, graceMs: number, events: PresenceEvents) {
    this.#clock = clock
    this.#graceMs = graceMs
    this.#events = events
  }

  /** Leaves that are connected, in ascending order. */
  get present(): readonly number[] {
    return [...this.#connections.keys()].sort((a, b) => a - b)
  }

  /** Leaves to be removed: absent for too long, or leaving by their own word. */
  get toRemove(): ReadonlySet<number> {
    return new Set([...this.#absent, ...this.#leaving])
  }

  /** Whether for the grace period nobody has been there who could commit. */
  get deserted(): boolean {
    return this.#deserted
  }

  /** A leaf of the group of which no connection is known yet. */
  added(leaf: number): void {
    this.#startGrace(leaf)
    this.#reconsider()
  }

  /** The leaf is not in the group any more. */
  removed(leaf: number): void {
    this.#stopGrace(leaf)
    this.#absent.delete(leaf)
    this.#leaving.delete(leaf)
    const connections = this.#connections.get(leaf)
    if (connections === undefined) return
    this.#connections.delete(leaf)
    for (const connection of connections) this.#leafOf.delete(connection)
    this.#events.changed()
    this.#reconsider()
  }

  /** The leaf has said that it leaves, so it is not waited for, connected or not. */
  leaving(leaf: number): void {
    this.#leaving.add(leaf)
  }

  /** Those that the log already asks to remove cannot commit any more. */
  condemn(leaves: ReadonlySet<number>): void {
    this.#condemned = leaves
    this.#reconsider()
  }

  /** A connection speaks for one leaf: attaching it to another detaches it from the first. */
  attach(leaf: number, connection: string): void {
    if (this.#leafOf.get(connection) === leaf) return
    this.detach(connection)
    this.#stopGrace(leaf)
    this.#absent.delete(leaf)
    this.#leafOf.set(connection, leaf)
    const connections = this.#connections.get(leaf)
    connections?.add(connection)
    if (connections !== undefined) return
    this.#connections.set(leaf, new Set([connection]))
    this.#events.changed()
    this.#reconsider()
  }

  detach(connection: string): void {
    const leaf = this.#leafOf.get(connection)
    if (leaf === undefined) return
    this.#leafOf.delete(connection)
    const connections = this.#connections.get(leaf)
    connections?.delete(connection)
    if (connections !== undefined && connections.size > 0) return
    this.#connections.delete(leaf)
    this.#startGrace(leaf)
    this.#events.changed()
    this.#reconsider()
  }

  stop(): void {
    for (const cancel of this.#graces.values()) cancel()
    this.#graces.clear()
    this.#cancelDesertion?.()
    this.#cancelDesertion = undefined
  }

  #startGrace(leaf: number): void {
    this.#stopGrace(leaf)
    const cancel = this.#clock.setTimer(this.#graceMs, () => {
      this.#graces.delete(leaf)
      this.#absent.add(leaf)
      this.#events.overdue(leaf)
    })
    this.#graces.set(leaf, cancel)
  }

  #stopGrace(leaf: number): void {
    this.#graces.get(leaf)?.()
    this.#graces.delete(leaf)
  }

  #reconsider(): void {
    if (this.present.some((leaf) => !this.#condemned.has(leaf))) {
      this.#cancelDesertion?.()
      this.#cancelDesertion = undefined
      this.#deserted = false
      return
    }
    if (this.#deserted) return
    this.#cancelDesertion ??= this.#clock.setTimer(this.#graceMs, () => {
      this.#cancelDesertion = undefined
      this.#deserted = true
      this.#events.deserted()
    })
  }
}
