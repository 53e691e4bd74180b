import {
  type FrameTransformer,
  FrameWorker,
} from '../../../../client-sdk/src/media/worker/frameWorker.ts'
import { webCryptoAead, webCryptoHash } from '../../../../core/src/sframe/index.ts'
import { benchClock, receivingLeaf, sendingLeaf } from '../members.ts'
import type { Transforms } from './roundTrip.ts'
import { TransformedTrack } from './transformedTrack.ts'

const sender = { leaf: sendingLeaf, source: 'camera' } as const

/** Both directions of our transform, each in a worker's own code with the keys of one member. */
export function ourTransforms(): Transforms {
  const { source } = sender
  return {
    send: attached(sendingLeaf, { id: 0, direction: 'send', source, isRenewed: false }),
    receive: attached(receivingLeaf, { id: 0, direction: 'receive', sender }),
  }
}

function attached(ownLeaf: number, options: FrameTransformer['options']): TransformedTrack {
  const aead = webCryptoAead(crypto.subtle)
  const hash = webCryptoHash(crypto.subtle)
  const worker = new FrameWorker({ clock: benchClock, aead, hash, post: () => {} })
  worker.handle({ type: 'start', suite: undefined, isListing: false })
  const keys = {
    epoch: 1000n,
    baseKey: new Uint8Array(16).fill(5),
    ownLeaf,
    leaves: [sendingLeaf, receivingLeaf],
    removedLeaves: [],
    incarnation: 1,
  }
  worker.handle({ type: 'install-epoch', keys })
  const track = new TransformedTrack()
  worker.attach({ readable: track.readable, writable: track.writable, options })
  return track
}
