import type { types } from 'mediasoup-client'
import * as fakeParameters from 'mediasoup-client/fakeParameters'
import { FakeHandler } from 'mediasoup-client/handlers/FakeHandler'

/** A track of a browser, as far as signalling looks at it. */
export class FakeTrack extends EventTarget {
  readonly id = crypto.randomUUID()
  readonly kind: 'audio' | 'video'
  enabled = true
  readyState: MediaStreamTrackState = 'live'

  constructor(kind: 'audio' | 'video') {
    super()
    this.kind = kind
  }

  stop(): void {
    this.readyState = 'ended'
  }

  /** As when the user ends sharing the screen. */
  end(): void {
    this.stop()
    this.dispatchEvent(new Event('ended'))
  }
}

export function fakeTrack(kind: 'audio' | 'video'): MediaStreamTrack & FakeTrack {
  return new FakeTrack(kind) as unknown as MediaStreamTrack & FakeTrack
}

/**
 * mediasoup-client's own stand-in for a browser's WebRTC, which negotiates but carries nothing; it
 * gives senders and receivers as a browser's handler does.
 */
export function fakeBrowser(): types.HandlerFactory & {
  readonly transports: FakeHandler[]
  /** What it was asked to send, in order. */
  readonly sendings: types.HandlerSendOptions[]
} {
  const inner = FakeHandler.createFactory(fakeParameters)
  const transports: FakeHandler[] = []
  const sendings: types.HandlerSendOptions[] = []
  return {
    ...inner,
    transports,
    sendings,
    factory(options) {
      const handler = inner.factory(options) as FakeHandler
      transports.push(handler)
      const send = handler.send.bind(handler)
      handler.send = async (sending) => {
        sendings.push(sending)
        const rtpSender = { track: sending.track } as RTCRtpSender
        sending.onRtpSender?.(rtpSender)
        return { ...(await send(sending)), rtpSender }
      }
      const receive = handler.receive.bind(handler)
      handler.receive = async (receiving) => {
        const results = await receive(receiving)
        return results.map((result, index) => {
          const rtpReceiver = { track: result.track } as RTCRtpReceiver
          receiving[index]?.onRtpReceiver?.(rtpReceiver)
          return { ...result, rtpReceiver }
        })
      }
      return handler
    },
  }
}
