import type { Clock } from '@conclave/core'
import type { types } from 'mediasoup'
import * as mediasoup from 'mediasoup'
import type { Logger } from 'pino'
import type { SfuObserver } from '../observer.ts'
import { SfuError } from '../sfuError.ts'

/** Where media arrives. `announcedAddress` is what clients are told when it differs from `ip`. */
export interface MediaAddress {
  readonly ip: string
  readonly announcedAddress?: string
}

export interface WorkerPoolOptions {
  /** Number of mediasoup workers; each uses one core. */
  readonly count: number
  readonly addresses: readonly MediaAddress[]
  /** Each worker takes one UDP and one TCP port of this range for each address. */
  readonly portRange: { readonly min: number; readonly max: number }
  /** mediasoup's worker; by default MEDIASOUP_WORKER_BIN or the one in mediasoup's package. */
  readonly workerBin?: string
  readonly clock: Clock
  readonly logger: Logger
  readonly observer: SfuObserver
}

/** A worker with the one server port that all its WebRTC transports share. */
export interface MediaWorker {
  readonly worker: types.Worker
  readonly webRtcServer: types.WebRtcServer
}

/** At most one new worker a second replaces those that died. */
const RESPAWN_DELAY_MS = 1_000

const ANY_ADDRESS = new Set(['0.0.0.0', '::', '0:0:0:0:0:0:0:0'])

/** @throws SfuError `announced-address-required` */
export function requireAnnounced(addresses: readonly MediaAddress[]): void {
  for (const { ip, announcedAddress } of addresses) {
    if (ANY_ADDRESS.has(ip) && announcedAddress === undefined) {
      throw new SfuError(
        'announced-address-required',
        `media listens on ${ip}, which is no address that a client could send to`,
        { remedy: 'name the address under which clients reach this machine' },
      )
    }
  }
}

/** One mediasoup worker per core; a room gets the worker with the fewest rooms. */
export class WorkerPool {
  readonly #options: WorkerPoolOptions
  readonly #roomsOf = new Map<MediaWorker, number>()
  readonly #cancelRespawns = new Set<() => void>()
  #closed = false

  private constructor(options: WorkerPoolOptions) {
    this.#options = options
  }

  /** @throws SfuError `announced-address-required` or `worker-failed` */
  static async start(options: WorkerPoolOptions): Promise<WorkerPool> {
    requireAnnounced(options.addresses)
    const pool = new WorkerPool(options)
    try {
      for (let started = 0; started < options.count; started++) await pool.#spawn()
    } catch (cause) {
      pool.close()
      throw new SfuError('worker-failed', 'a mediasoup worker could not be started', {
        cause,
        remedy: 'MEDIASOUP_WORKER_BIN names the worker; its ports must be free',
      })
    }
    return pool
  }

  get size(): number {
    return this.#roomsOf.size
  }

  /** Counts one room on the least used worker until `release` is called. */
  acquire(): (MediaWorker & { readonly release: () => void }) | undefined {
    let least: MediaWorker | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (const [candidate, rooms] of this.#roomsOf) {
      if (rooms < fewest) [least, fewest] = [candidate, rooms]
    }
    if (least === undefined) return undefined
    const chosen = least
    this.#count(chosen, 1)
    return { ...chosen, release: () => this.#count(chosen, -1) }
  }

  close(): void {
    this.#closed = true
    for (const cancel of this.#cancelRespawns) cancel()
    for (const { worker } of this.#roomsOf.keys()) worker.close()
    this.#roomsOf.clear()
  }

  #count(worker: MediaWorker, change: number): void {
    const rooms = this.#roomsOf.get(worker)
    if (rooms !== undefined) this.#roomsOf.set(worker, rooms + change)
  }

  async #spawn(): Promise<void> {
    const { addresses, portRange, workerBin, logger, observer } = this.#options
    const worker = await mediasoup.createWorker({
      logLevel: 'warn',
      ...(workerBin === undefined ? {} : { workerBin }),
    })
    try {
      const webRtcServer = await worker.createWebRtcServer({
        listenInfos: addresses.flatMap((address) =>
          (['udp', 'tcp'] as const).map((protocol) => ({ protocol, portRange, ...address })),
        ),
      })
      if (this.#closed) throw new SfuError('sfu-closed', 'the SFU was closed meanwhile')
      const started: MediaWorker = { worker, webRtcServer }
      this.#roomsOf.set(started, 0)
      worker.on('died', (error) => {
        logger.error({ err: error, pid: worker.pid }, 'a mediasoup worker died')
        this.#roomsOf.delete(started)
        observer.emit('workerdied', worker)
        this.#respawnLater()
      })
      observer.emit('newworker', worker)
    } catch (error) {
      worker.close()
      throw error
    }
  }

  #respawnLater(): void {
    if (this.#closed) return
    const cancel = this.#options.clock.setTimer(RESPAWN_DELAY_MS, () => {
      this.#cancelRespawns.delete(cancel)
      this.#spawn().catch((error: unknown) => {
        this.#options.logger.error({ err: error }, 'a mediasoup worker could not be replaced')
        this.#respawnLater()
      })
    })
    this.#cancelRespawns.add(cancel)
  }
}
