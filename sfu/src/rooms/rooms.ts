import type { RoomClosed } from '@conclave/core/mediaSignalling'
import type { SfuLimits } from '../limits.ts'
import type { SfuObserver } from '../observer.ts'
import type { MediaWorker, WorkerPool } from '../workers/workerPool.ts'
import { mediaCodecs } from './codecs.ts'
import { Refusal } from './refusal.ts'
import { Room } from './room.ts'

/** The open rooms by meeting. A room is made for its first peer and closes after its last. */
export class Rooms {
  readonly #pool: WorkerPool
  readonly #limits: SfuLimits
  readonly #observer: SfuObserver
  readonly #rooms = new Map<string, Promise<Room>>()
  #closed = false

  constructor(pool: WorkerPool, limits: SfuLimits, observer: SfuObserver) {
    this.#pool = pool
    this.#limits = limits
    this.#observer = observer
  }

  get size(): number {
    return this.#rooms.size
  }

  /**
   * The meeting's room, made if there is none. It stays open as long as it has peers: whoever asked
   * adds its peer at once, or calls `closeIfEmpty`.
   *
   * @throws Refusal `too-many-rooms`, `no-worker` or `room-closed`
   */
  async open(meeting: string): Promise<Room> {
    for (;;) {
      if (this.#closed) throw new Refusal('room-closed', 'the SFU is closing')
      const room = await (this.#rooms.get(meeting) ?? this.#create(meeting))
      if (!room.closed) return room
    }
  }

  async close(code: RoomClosed['code']): Promise<void> {
    this.#closed = true
    for (const opened of await Promise.allSettled(this.#rooms.values())) {
      if (opened.status === 'fulfilled') opened.value.close(code)
    }
  }

  #create(meeting: string): Promise<Room> {
    if (this.#rooms.size >= this.#limits.rooms) {
      throw new Refusal('too-many-rooms', 'this SFU has as many rooms as it may have')
    }
    const worker = this.#pool.acquire()
    if (worker === undefined) throw new Refusal('no-worker', 'no media worker is running')
    const forget = () => {
      this.#rooms.delete(meeting)
      worker.release()
    }
    const creating = this.#createOn(worker, meeting, forget)
    this.#rooms.set(meeting, creating)
    creating.catch(forget)
    return creating
  }

  async #createOn(
    { worker, webRtcServer }: MediaWorker,
    meeting: string,
    onClosed: () => void,
  ): Promise<Room> {
    const router = await worker.createRouter({ mediaCodecs })
    return new Room({ meeting, router, webRtcServer, observer: this.#observer }, onClosed)
  }
}
