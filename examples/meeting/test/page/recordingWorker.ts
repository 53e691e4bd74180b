import '@conclave/client/media/worker'

/*
 * The product's media worker, except that every frame is copied before it is encrypted. What the
 * copies show is therefore what the encoder gave, whatever the worker does with it.
 */

interface Transformer {
  readonly readable: ReadableStream<{ readonly data: ArrayBuffer }>
  readonly writable: WritableStream
  readonly options: { readonly direction: 'send' | 'receive'; readonly source?: string }
  generateKeyFrame?: (() => Promise<unknown>) | undefined
  sendKeyFrameRequest?: (() => Promise<unknown>) | undefined
}

interface TransformScope {
  onrtctransform: ((event: { readonly transformer: Transformer }) => void) | null
}

/** A frame as the encoder gave it. */
interface PlaintextMessage {
  readonly source: string
  readonly data: ArrayBuffer
}

const channel = new BroadcastChannel('plaintext-frames')
const scope = globalThis as unknown as TransformScope
const attach = scope.onrtctransform

scope.onrtctransform = ({ transformer }) => {
  const { options, writable } = transformer
  const { source } = options
  const readable =
    options.direction === 'send' && source !== undefined
      ? transformer.readable.pipeThrough(copying(source))
      : transformer.readable
  attach?.({
    transformer: {
      readable,
      writable,
      options,
      generateKeyFrame: transformer.generateKeyFrame?.bind(transformer),
      sendKeyFrameRequest: transformer.sendKeyFrameRequest?.bind(transformer),
    },
  })
}

function copying(source: string): TransformStream<{ readonly data: ArrayBuffer }> {
  return new TransformStream({
    transform(frame, controller) {
      const message: PlaintextMessage = { source, data: frame.data.slice(0) }
      channel.postMessage(message)
      controller.enqueue(frame)
    },
  })
}
