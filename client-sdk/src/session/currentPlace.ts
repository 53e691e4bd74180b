import type { Clock } from '@conclave/core'
import type { Bytes } from '@conclave/core/codec'
import type { Group } from '@conclave/core/mls/group'
import type { Participation } from './participation.ts'
import { notInMeeting } from './participationErrors.ts'

/** A place that was kept for so long was a good one. */
const steadyMs = 60_000
/** The longest pause before a place that is lost again and again is taken anew. */
const maxReturnPauseMs = 30_000

/** The place that we have in the meeting's group now, or none until it is taken again. */
export class CurrentPlace {
  readonly #clock: Clock
  #place: Participation | undefined
  /** The group in which a place is to be taken, after one that was lost or left behind. */
  #returningTo: Bytes | undefined
  /** Where an earlier process was, until we know how the group has gone on since. */
  #restoredEpoch: bigint | undefined
  /** Those who wait for our next place. */
  #awaited: PromiseWithResolvers<Participation> | undefined
  #losses = 0
  #begunAt = 0
  #closed = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get place(): Participation | undefined {
    return this.#place
  }

  /** The group in which we are, or to which we return. */
  get groupId(): Bytes | undefined {
    return this.#place?.group.groupId ?? this.#returningTo
  }

  /** Whether the place is one of which others may be told: its log has been asked for what comes next. */
  get isKnown(): boolean {
    return this.#restoredEpoch === undefined
  }

  /** The group of the current epoch, once we are in. */
  get group(): Group | undefined {
    return this.isKnown ? this.#place?.group : undefined
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** @param restored whether an earlier process had it */
  begin(place: Participation, restored: boolean): void {
    this.#returningTo = undefined
    this.#begunAt = this.#clock.now()
    this.#place = place
    this.#restoredEpoch = restored ? place.group.epoch : undefined
    this.#awaited?.resolve(place)
    this.#awaited = undefined
  }

  /**
   * The log has said how the group of a restored place has gone on.
   * @returns whether it is still in the epoch that was restored
   */
  becomeKnown(): boolean {
    const isSame = this.#place?.group.epoch === this.#restoredEpoch
    this.#restoredEpoch = undefined
    return isSame
  }

  /**
   * Closes the place, where there is one.
   * @param next the group in which the next one is to be taken
   */
  leave(next?: Bytes): void {
    const place = this.#place
    this.#place = undefined
    this.#restoredEpoch = undefined
    this.#returningTo = next
    place?.close()
  }

  /** The pause before the place that was just lost is taken again, in milliseconds. */
  pauseAfterLoss(): number {
    const isSteady = this.#clock.now() - this.#begunAt >= steadyMs
    this.#losses = isSteady ? 0 : this.#losses + 1
    return this.#losses === 0 ? 0 : Math.min(maxReturnPauseMs, 500 * 2 ** this.#losses)
  }

  /** Resolves once our group is none that is about to be continued by another. */
  async settled(): Promise<void> {
    while (this.#place?.isFrozen === true && !this.#closed) await this.#placed()
  }

  /**
   * Does it in the place that we have in the group; where that is lost meanwhile, in the next.
   * @throws SessionError `session-ended`
   */
  async act<T>(act: (place: Participation) => Promise<T>): Promise<T> {
    for (;;) {
      if (this.#closed) throw notInMeeting()
      await this.settled()
      const place = this.#place ?? (await this.#placed())
      try {
        return await act(place)
      } catch (error) {
        if (this.#closed) throw notInMeeting()
        if (place === this.#place) throw error
      }
    }
  }

  /** There will be no place any more. */
  close(): void {
    this.#closed = true
    this.#place?.close()
    this.#awaited?.reject(notInMeeting())
  }

  /** Our next place, once we have it. */
  #placed(): Promise<Participation> {
    this.#awaited ??= Promise.withResolvers()
    return this.#awaited.promise
  }
}
