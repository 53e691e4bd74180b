import type { Clock } from '@conclave/core'
import type { Chance } from '../chance.ts'
import { calm, type Weather } from '../weather.ts'
import { type Ground, Wire } from './wire.ts'

/** Ordinary latency of a message, in milliseconds. */
const latencyMs = [2, 40] as const
/** A late one's. */
const lateMs = [200, 3_000] as const
/** How long a silent connection takes to be noticed, in milliseconds: socket.io's pings. */
const silenceMs = 20_000

interface Partition {
  readonly clients: ReadonlySet<string>
  readonly instances: ReadonlySet<string>
}

interface Laid {
  readonly wire: Wire
  readonly client: string
  readonly instance: string
}

/** Between clients and instances of the keyserver. */
export class Network {
  weather: Weather = calm
  readonly #clock: Clock
  readonly #chance: Chance
  readonly #met: (kind: string, fault: string) => void
  readonly #partitions = new Set<Partition>()
  readonly #wires = new Set<Laid>()
  #laid = 0

  constructor(clock: Clock, chance: Chance, met: (kind: string, fault: string) => void) {
    this.#clock = clock
    this.#chance = chance
    this.#met = met
  }

  isBlocked(client: string, instance: string): boolean {
    for (const { clients, instances } of this.#partitions) {
      if (clients.has(client) && instances.has(instance)) return true
    }
    return false
  }

  /** A connection from a client to an instance. */
  lay(client: string, instance: string): Wire {
    const chance = this.#chance.of('wire', client, this.#laid++)
    const ground: Ground = {
      clock: this.#clock,
      latency: (kind) => this.#latency(chance, kind),
      isBlocked: () => this.isBlocked(client, instance),
      met: this.#met,
    }
    const laid = { wire: new Wire(ground, chance), client, instance }
    this.#wires.add(laid)
    return laid.wire
  }

  /** Nothing passes between these for a while; a connection over which nothing comes is given up. */
  part(clients: readonly string[], instances: readonly string[], ms: number): void {
    const partition = { clients: new Set(clients), instances: new Set(instances) }
    this.#partitions.add(partition)
    this.#clock.setTimer(ms, () => this.#partitions.delete(partition))
    if (ms < silenceMs / 2) return
    for (const laid of this.#alive()) {
      if (!this.isBlocked(laid.client, laid.instance)) continue
      const noticedMs = this.#chance.between(silenceMs / 2, silenceMs)
      this.#clock.setTimer(noticedMs, () => {
        if (!this.#partitions.has(partition)) return
        laid.wire.cut({ client: 0, server: silenceMs - noticedMs })
      })
    }
  }

  /** Breaks what a client, or an instance, has open. */
  cut(end: { readonly client?: string; readonly instance?: string }, quickly: boolean): void {
    const noticed = quickly ? 50 : silenceMs
    for (const { wire, client, instance } of this.#alive()) {
      if (client === end.client || instance === end.instance) {
        wire.cut({ client: noticed, server: noticed })
      }
    }
  }

  heal(): void {
    this.#partitions.clear()
    this.weather = calm
  }

  /** How long something between instances is under way, in milliseconds. */
  newsLatency(): number {
    return this.#latency(this.#chance, 'news')
  }

  #latency(chance: Chance, kind: string): number {
    if (!chance.happens(this.weather.late)) return chance.between(...latencyMs)
    this.#met(kind, 'late')
    return chance.between(...lateMs)
  }

  #alive(): readonly Laid[] {
    for (const laid of this.#wires) {
      if (!laid.wire.isOpen('client') && !laid.wire.isOpen('server')) this.#wires.delete(laid)
    }
    return [...this.#wires]
  }
}
