import '@conclave/client/media/worker'

/*
 * The product's media worker, except that it takes every frame for one of VP9, of which all is
 * secret: what a frame cryptor does that knows nothing of codecs.
 */

interface Frame {
  getMetadata(): object
}

interface Transformer {
  readonly readable: ReadableStream<Frame>
  readonly writable: WritableStream
  readonly options: object
  generateKeyFrame?: (() => Promise<unknown>) | undefined
  sendKeyFrameRequest?: (() => Promise<unknown>) | undefined
}

interface TransformScope {
  onrtctransform: ((event: { readonly transformer: Transformer }) => void) | null
}

const scope = globalThis as unknown as TransformScope
const attach = scope.onrtctransform

scope.onrtctransform = ({ transformer }) => {
  const { readable, writable, options } = transformer
  attach?.({
    transformer: {
      readable: readable.pipeThrough(disguising()),
      writable,
      options,
      generateKeyFrame: transformer.generateKeyFrame?.bind(transformer),
      sendKeyFrameRequest: transformer.sendKeyFrameRequest?.bind(transformer),
    },
  })
}

function disguising(): TransformStream<Frame, Frame> {
  return new TransformStream({
    transform(frame, controller) {
      const metadata = { ...frame.getMetadata(), mimeType: 'video/VP9' }
      frame.getMetadata = () => metadata
      controller.enqueue(frame)
    },
  })
}
