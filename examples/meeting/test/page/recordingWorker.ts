import { wrapTransforms } from '../../../../client-sdk/test/media/page/wrappedWorker.ts'

/*
 * The product's media worker, except that every frame is copied before it is encrypted. What the
 * copies show is therefore what the encoder gave, whatever the worker does with it.
 */

interface Frame {
  readonly data: ArrayBuffer
}

interface Options {
  readonly direction: 'send' | 'receive'
  readonly source?: string
}

/** A frame as the encoder gave it. */
interface PlaintextMessage {
  readonly source: string
  readonly data: ArrayBuffer
}

const channel = new BroadcastChannel('plaintext-frames')

wrapTransforms<Frame, Options>(({ readable, writable }, { direction, source }) => ({
  readable:
    direction === 'send' && source !== undefined ? readable.pipeThrough(copying(source)) : readable,
  writable,
}))

function copying(source: string): TransformStream<Frame, Frame> {
  return new TransformStream({
    transform(frame, controller) {
      const message: PlaintextMessage = { source, data: frame.data.slice(0) }
      channel.postMessage(message)
      controller.enqueue(frame)
    },
  })
}
