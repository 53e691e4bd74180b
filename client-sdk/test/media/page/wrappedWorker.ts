import '@conclave/client/media/worker'

/** The two ends of a track's frames in the worker. */
export interface TrackEnds<Frame> {
  readonly readable: ReadableStream<Frame>
  readonly writable: WritableStream<Frame>
}

interface Transformer<Frame, Options> extends TrackEnds<Frame> {
  readonly options: Options
  readonly generateKeyFrame?: (() => Promise<unknown>) | undefined
  readonly sendKeyFrameRequest?: (() => Promise<unknown>) | undefined
}

interface TransformScope<Frame, Options> {
  onrtctransform: ((event: { readonly transformer: Transformer<Frame, Options> }) => void) | null
}

/** Puts a test's own step around the product's media worker, which gets the ends that `wrap` returns. */
export function wrapTransforms<Frame, Options>(
  wrap: (ends: TrackEnds<Frame>, options: Options) => TrackEnds<Frame>,
): void {
  const scope = globalThis as unknown as TransformScope<Frame, Options>
  const attach = scope.onrtctransform
  scope.onrtctransform = ({ transformer }) => {
    const { options } = transformer
    attach?.({
      transformer: {
        ...wrap(transformer, options),
        options,
        generateKeyFrame: transformer.generateKeyFrame?.bind(transformer),
        sendKeyFrameRequest: transformer.sendKeyFrameRequest?.bind(transformer),
      },
    })
  }
}
