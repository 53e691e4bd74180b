import type { MediaSource } from '@conclave/core/sframe'

/** What the relay does with frames. */
export type RelayAttack = 'flip' | 'cut' | 'swap' | 'replay' | 'inject'

/** The page to the relay: so many attacks on each of these sources, with good frames in between. */
export interface RelayOrder {
  readonly type: 'relay'
  readonly attack: RelayAttack
  readonly sources: readonly MediaSource[]
  readonly times: number
}

/** The relay to the page: one attack has been made. */
export interface RelayReport {
  readonly type: 'relayed'
  readonly source: MediaSource
}
