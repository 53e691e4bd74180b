import type { Clock } from '../../../core/src/runtime.ts'
import { type FrameAead, FrameKeys } from '../../../core/src/sframe/index.ts'

/** Real time; keys that do not expire need no timers. */
export const benchClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  setTimer: () => () => {},
}

/** Leaves of a large meeting, so that KIDs are as long as they get. */
export const [sendingLeaf, receivingLeaf] = [300, 301]

/** The frame keys of one who sends and one who receives. */
export function members(aead: FrameAead): {
  readonly sender: FrameKeys
  readonly receiver: FrameKeys
} {
  const keysOf = (ownLeaf: number) => {
    const keys = new FrameKeys({ aead, clock: benchClock })
    keys.installEpoch({
      epoch: 1000n,
      baseKey: new Uint8Array(keys.suite.nk).fill(4),
      ownLeaf,
      leaves: [sendingLeaf, receivingLeaf],
      removedLeaves: [],
      incarnation: 1,
    })
    return keys
  }
  return { sender: keysOf(sendingLeaf), receiver: keysOf(receivingLeaf) }
}
