import { systemClock } from '@conclave/keyserver'
import { TestClient } from '../support/testClient.ts'
import { Arena, commonPayloads, StaleBytes } from './arena.ts'
import { casesOf, type HostileCase, type MeetingKind } from './cases.ts'
import type { Finding } from './hostileSession.ts'
import { type Battlefield, performCase } from './performCase.ts'
import type { RawSocket } from './rawSocket.ts'
import { tokenFor } from './tokens.ts'

/** What an attack is, as the process that performs it is told. */
export interface AttackOrders {
  readonly port: number
  readonly seed: number
  readonly cases: number
  /** Whose group's id must never be heard of. */
  readonly quiet: { readonly groupId: string; readonly bytes: readonly string[] }
  readonly patienceMs: number
}

export interface FoundByCase extends Finding {
  readonly batch: number
  readonly index: number
  readonly case: HostileCase
}

/** What it tells: progress after each batch, at the end what it came to. */
export interface AttackReport {
  readonly done: number
  readonly ended: boolean
  readonly steps: number
  readonly arenas: number
  readonly findings: readonly FoundByCase[]
}

const batchSize = 200
const atOnce = 16
/** After so many findings there is no need for more. */
const enough = 5

/** Performs the cases of a seed, batch by batch, from a process of its own. */
class Attack {
  readonly #orders: AttackOrders
  readonly #place
  readonly #stale = new StaleBytes()
  readonly #findings: FoundByCase[] = []
  #arenas: [Arena, Arena] | undefined
  #opened = 0
  #steps = 0
  #done = 0

  constructor(orders: AttackOrders) {
    this.#orders = orders
    const { port, patienceMs } = orders
    this.#place = {
      clock: systemClock,
      connect: async (identity: string, meetingId: string) => {
        const auth = { token: await tokenFor(identity, meetingId) }
        const client = new TestClient(`http://127.0.0.1:${port}`, auth, { patienceMs })
        await client.connected()
        return client
      },
    }
    for (const bytes of orders.quiet.bytes) this.#stale.keepBytes(Buffer.from(bytes, 'hex'))
  }

  async run(tell: (report: AttackReport) => void): Promise<void> {
    const common = await commonPayloads(this.#place)
    this.#stale.keep(common)
    for (let batch = 0; this.#done < this.#orders.cases; batch++) {
      const count = Math.min(batchSize, this.#orders.cases - this.#done)
      await this.#runBatch(batch, count, common)
      this.#done += count
      tell(this.#report(false))
      if (this.#findings.length >= enough) break
    }
    for (const arena of this.#arenas ?? []) arena.close()
    tell(this.#report(true))
  }

  async #runBatch(batch: number, count: number, common: Battlefield['common']): Promise<void> {
    const arenas = await this.#readyArenas()
    const left: RawSocket[] = []
    const field: Battlefield = {
      port: this.#orders.port,
      arenas,
      common,
      stale: this.#stale.all,
      foreignTo: (meeting) => this.#foreignTo(meeting, arenas),
      abandoned: (socket) => left.push(socket),
      patienceMs: this.#orders.patienceMs,
    }
    const cases = [...casesOf(this.#orders.seed, batch, count).entries()]
    const worker = async (): Promise<void> => {
      for (let next = cases.shift(); next !== undefined; next = cases.shift()) {
        if (this.#findings.length >= enough) return
        const [index, one] = next
        this.#steps += one.kind === 'session' ? one.steps.length : 1
        for (const finding of await performCase(one, field)) {
          this.#findings.push({ ...finding, batch, index, case: one })
        }
      }
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
    for (const socket of left) socket.destroy()
  }

  /** Those that insiders have made unusable give way to new ones. */
  async #readyArenas(): Promise<[Arena, Arena]> {
    const [one, other] = this.#arenas ?? []
    this.#arenas = [await this.#ready(one, 0), await this.#ready(other, 1)]
    for (const { payloads } of this.#arenas) this.#stale.keep(payloads)
    return this.#arenas
  }

  async #ready(arena: Arena | undefined, which: number): Promise<Arena> {
    try {
      if (arena !== undefined) {
        await arena.refresh()
        return arena
      }
    } catch {
      arena?.close()
    }
    const fresh = await Arena.open(this.#place, `arena-${which}-${this.#opened++}`)
    await fresh.refresh()
    return fresh
  }

  #foreignTo(meeting: MeetingKind, arenas: readonly [Arena, Arena]): ReadonlySet<string> {
    const foreign = new Set([this.#orders.quiet.groupId])
    if (meeting !== 'arena') foreign.add(arenas[0].groupId)
    if (meeting !== 'other-arena') foreign.add(arenas[1].groupId)
    return foreign
  }

  #report(ended: boolean): AttackReport {
    return {
      done: this.#done,
      ended,
      steps: this.#steps,
      arenas: this.#opened,
      findings: this.#findings,
    }
  }
}

const orders = JSON.parse(process.argv[2] ?? '') as AttackOrders
await new Attack(orders).run((report) => process.send?.(report))
process.disconnect()
process.exit(0)
