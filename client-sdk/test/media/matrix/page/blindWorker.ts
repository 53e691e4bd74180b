import { wrapTransforms } from '../../page/wrappedWorker.ts'

/*
 * The product's media worker, except that it takes every frame for one of VP9, of which all is
 * secret: what a frame cryptor does that knows nothing of codecs.
 */

interface Frame {
  getMetadata(): object
}

wrapTransforms<Frame, object>(({ readable, writable }) => ({
  readable: readable.pipeThrough(disguising()),
  writable,
}))

function disguising(): TransformStream<Frame, Frame> {
  return new TransformStream({
    transform(frame, controller) {
      const metadata = { ...frame.getMetadata(), mimeType: 'video/VP9' }
      frame.getMetadata = () => metadata
      controller.enqueue(frame)
    },
  })
}
