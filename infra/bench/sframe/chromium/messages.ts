import type { BenchErrorCode } from '../../benchError.ts'
import type { FrameRow, FrameWorkload } from '../frameBenchmark.ts'
import type { Pipeline } from '../trackCosts.ts'
import type { PeerRow, PeerWorkload } from './peerBenchmark.ts'

/** To the worker, which answers each with what it was asked for, or a failure. */
export type BenchRequest =
  | { readonly type: 'frames'; readonly workload: FrameWorkload }
  | { readonly type: 'peer'; readonly workload: PeerWorkload }
  /** Makes all frames that will be received, which is no part of receiving them. */
  | {
      readonly type: 'prepare-tracks'
      readonly pipeline: Pipeline
      readonly tracks: number
      readonly seconds: number
    }
  | { readonly type: 'receive-tracks' }

export type BenchAnswer =
  | { readonly type: 'progress'; readonly line: string }
  | { readonly type: 'frames'; readonly rows: readonly FrameRow[] }
  | { readonly type: 'peer'; readonly rows: readonly PeerRow[] }
  | { readonly type: 'prepared' }
  | { readonly type: 'received'; readonly frames: number }
  | { readonly type: 'failure'; readonly code: BenchErrorCode; readonly message: string }
