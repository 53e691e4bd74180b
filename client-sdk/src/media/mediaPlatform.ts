import { MediaError } from './error.ts'
import { type FrameRoute, frameRoute } from './frameRoute.ts'
import { canRunMediaWorker } from './worker/createWorker.ts'

/** What this browser needs so that its media can be encrypted end to end. */
export interface MediaPlatform {
  /** To be given to every RTCPeerConnection that carries protected media; empty in most browsers. */
  readonly connectionSettings: RTCConfiguration
}

/**
 * Whether media can be encrypted end to end here: to be asked before a meeting is joined. It goes by
 * what the browser has, not by its name.
 *
 * @throws MediaError `media-unsupported-platform`
 */
export function mediaPlatform(): MediaPlatform {
  return { connectionSettings: requiredRoute().settings }
}

/** @throws MediaError `media-unsupported-platform` */
export function requiredRoute(): FrameRoute {
  const route = frameRoute()
  if (route === undefined) {
    throw new MediaError('media-unsupported-platform', 'this browser shows no encoded frames', {
      remedy: 'use a browser that has WebRTC encoded transforms',
    })
  }
  if (!canRunMediaWorker()) {
    throw new MediaError('media-unsupported-platform', 'workers or WebCrypto are missing here', {
      remedy: 'serve the page over https',
    })
  }
  return route
}
