import {
  codecRuleFor,
  FrameOpener,
  FrameProtector,
  FrameWitness,
  ReceiveTransform,
} from '@conclave/client/media'
import { type Bytes, emptyBytes } from '@conclave/core/codec'
import {
  FrameDecryptor,
  FrameEncryptor,
  type FrameKeys,
  type MediaSource,
} from '@conclave/core/sframe'
import type { VirtualClock } from '../../../../core/test/virtualClock.ts'
import { hash, TestFrame } from '../frames.ts'

/** What a frame came to: a name, and the frame where it opened. */
export interface Outcome {
  readonly name: string
  readonly frame?: Bytes
}

/** Both ends of a track. */
export interface Endpoints {
  protect(frame: Bytes): Promise<Bytes>
  open(frame: Bytes): Promise<Outcome>
  /** How many frames the receiving end holds back now. */
  waiting(): number
}

export interface EndpointOptions {
  readonly mimeType: string
  readonly source: MediaSource
  /** Of leaf 0. */
  readonly sender: FrameKeys
  readonly receiver: FrameKeys
  readonly clock: VirtualClock
}

export type MakeEndpoints = (options: EndpointOptions) => Endpoints

/** The product's. */
export const realEndpoints: MakeEndpoints = ({ mimeType, source, sender, receiver, clock }) => {
  const protector = new FrameProtector(sender, source)
  let delivered: TestFrame[] = []
  const transform = new ReceiveTransform<TestFrame>({
    keys: receiver,
    clock,
    expected: { leaf: 0, source },
    witness: new FrameWitness({ clock, hash, verify: async () => 'unknown-signer' }),
    deliver: (frame) => {
      delivered.push(frame)
    },
    requestKeyFrame: () => {},
    onAuthentic: () => {},
  })
  return {
    protect: async (frame) => frameOf(await protector.protect(mimeType, frame)),
    open: async (bytes) => {
      delivered = []
      const { dropped: before } = transform.stats()
      await transform.push(new TestFrame(mimeType, bytes))
      const [opened] = delivered
      if (opened !== undefined) return { name: 'opened', frame: opened.bytes }
      const { dropped } = transform.stats()
      const counted = Object.keys(dropped) as (keyof typeof dropped)[]
      const name = counted.find((reason) => dropped[reason] !== before[reason])
      // A frame that waits may take the place of the one that has waited longest.
      return { name: name === undefined || name === 'wait-overflow' ? 'waiting' : name }
    },
    waiting: () => transform.stats().waiting,
  }
}

/** A fault: every frame has a decryptor of its own, which remembers no counter. */
export const withoutReplayWindow: MakeEndpoints = (options) => {
  const { mimeType, source, receiver } = options
  return {
    ...realEndpoints(options),
    open: async (bytes) => {
      const result = await new FrameOpener(receiver, { leaf: 0, source }).open(mimeType, bytes)
      return result.ok ? { name: 'opened', frame: result.frame } : { name: result.reason }
    },
  }
}

/** A fault: the codec's rule has what stays in clear go unauthenticated. */
export const blindToClearBytes: MakeEndpoints = ({ mimeType, source, sender, receiver }) => {
  const rule = codecRuleFor(mimeType)
  const encryptor = new FrameEncryptor(sender, source)
  const decryptor = new FrameDecryptor(receiver, { leaf: 0, source })
  return {
    protect: async (frame) => {
      const parts = rule?.split(frame)
      const sealed = await encryptor.encrypt(emptyBytes, parts?.secret ?? emptyBytes)
      if (parts === undefined || !sealed.ok) throw new Error('not sent')
      return parts.join(sealed.ciphertext)
    },
    open: async (bytes) => {
      const parts = rule?.parse(bytes)
      if (parts === undefined) return { name: 'malformed-frame' }
      const opened = await decryptor.decrypt(emptyBytes, parts.sframe)
      if (!opened.ok) return { name: opened.reason }
      const frame = parts.restore(opened.plaintext)
      return frame === undefined ? { name: 'malformed-frame' } : { name: 'opened', frame }
    },
    waiting: () => 0,
  }
}

/** The frame that `protector` made. */
export function frameOf(result: Awaited<ReturnType<FrameProtector['protect']>>): Bytes {
  if (!result.ok) throw new Error(`not sent: ${result.reason}`)
  return result.frame
}
