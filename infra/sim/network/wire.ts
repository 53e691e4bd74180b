import type { Clock } from '@conclave/core'
import type { Chance } from '../chance.ts'

export type End = 'client' | 'server'

/** What a wire is laid through. */
export interface Ground {
  readonly clock: Clock
  /** How long the next message is under way, in milliseconds. */
  latency(kind: string): number
  /** Whether nothing passes between the two at present. */
  isBlocked(): boolean
  /** Something happened to a message on its way. */
  met(kind: string, fault: string): void
}

interface Direction {
  readonly held: { readonly kind: string; readonly deliver: () => void }[]
  lastAt: number
}

/** How often what a partition holds up is tried again, in milliseconds. */
const retryMs = 200

/**
 * One connection. What is sent in one direction arrives in order, or the connection breaks; each end
 * learns of that in its own time.
 */
export class Wire {
  readonly #ground: Ground
  readonly #chance: Chance
  readonly #directions: Readonly<Record<End, Direction>> = {
    client: { held: [], lastAt: 0 },
    server: { held: [], lastAt: 0 },
  }
  readonly #listeners = new Map<End, () => void>()
  readonly #gone = new Set<End>()
  #cut = false

  constructor(ground: Ground, chance: Chance) {
    this.#ground = ground
    this.#chance = chance
  }

  /** Whether this end still believes in the connection. */
  isOpen(end: End): boolean {
    return !this.#gone.has(end)
  }

  /** What this end does when it learns that the connection is gone. */
  whenGone(end: End, listener: () => void): void {
    this.#listeners.set(end, listener)
  }

  send(to: End, kind: string, deliver: () => void): void {
    if (this.#cut || this.#gone.has(to)) {
      this.#ground.met(kind, 'connection lost')
      return
    }
    const { clock } = this.#ground
    const direction = this.#directions[to]
    const at = Math.max(direction.lastAt, clock.now() + this.#ground.latency(kind))
    direction.lastAt = at
    clock.setTimer(at - clock.now(), () => this.#arrive(to, kind, deliver))
  }

  /** Breaks it. What is under way to the client is lost; what is under way to the server may be. */
  cut(noticedWithinMs: Readonly<Record<End, number>>): void {
    if (this.#cut) return
    this.#cut = true
    const { clock } = this.#ground
    if (this.#chance.happens(0.5)) this.#gone.add('client')
    for (const end of ['client', 'server'] as const) {
      clock.setTimer(this.#chance.between(0, noticedWithinMs[end]), () => this.#tell(end))
    }
  }

  /** One end hangs up, and the other hears of it after all that was sent before. */
  close(end: End): void {
    if (this.#gone.has(end)) return
    this.#gone.add(end)
    this.#listeners.delete(end)
    const other = end === 'client' ? 'server' : 'client'
    this.send(other, 'hang-up', () => this.#tell(other))
  }

  #arrive(to: End, kind: string, deliver: () => void): void {
    const { held } = this.#directions[to]
    if (held.length === 0 && !this.#ground.isBlocked()) {
      this.#deliver(to, kind, deliver)
      return
    }
    this.#ground.met(kind, 'partition')
    held.push({ kind, deliver })
    if (held.length === 1) this.#retry(to)
  }

  #retry(to: End): void {
    this.#ground.clock.setTimer(retryMs, () => {
      if (this.#ground.isBlocked() && !this.#gone.has(to) && !this.#cut) return this.#retry(to)
      const { held } = this.#directions[to]
      for (const { kind, deliver } of held.splice(0)) this.#deliver(to, kind, deliver)
    })
  }

  #deliver(to: End, kind: string, deliver: () => void): void {
    const lost = this.#gone.has(to) || (this.#cut && to === 'client')
    if (lost) this.#ground.met(kind, 'connection lost')
    else deliver()
  }

  #tell(end: End): void {
    this.#gone.add(end)
    const listener = this.#listeners.get(end)
    this.#listeners.delete(end)
    listener?.()
  }
}
