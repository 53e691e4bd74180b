import type { MediaSource } from '@conclave/core/sframe'
import { wrapTransforms } from '../../page/wrappedWorker.ts'
import type { RelayAttack, RelayOrder, RelayReport } from './relayMessages.ts'

/*
 * The product's media worker with a hostile relay outside. At the sender it changes frames that are
 * encrypted, which then go over the network. Chromium sends no frame that no encoder has made: those
 * that are too many come in at the receiver.
 */

interface Frame {
  data: ArrayBuffer
  /** Of video alone. */
  readonly type?: 'key' | 'delta' | 'empty'
  getMetadata(): object
}

type Options =
  | { readonly direction: 'send'; readonly source: MediaSource }
  | { readonly direction: 'receive'; readonly sender: { readonly source: MediaSource } }

type FrameCopier = new (frame: Frame) => Frame

interface RelayScope {
  readonly RTCEncodedVideoFrame: FrameCopier
  readonly RTCEncodedAudioFrame: FrameCopier
  postMessage(report: RelayReport): void
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
}

/** Good frames between two attacks. */
const PAUSE = 5

const scope = globalThis as unknown as RelayScope

/** What the relay is to do, by source. */
const orders = new Map<MediaSource, { readonly attack: RelayAttack; left: number }>()
/** What each source has sent last. */
const sent = new Map<MediaSource, Uint8Array<ArrayBuffer>>()

scope.addEventListener('message', ({ data }) => {
  const { type, attack, sources, times } = data as RelayOrder
  if (type !== 'relay') return
  for (const source of sources) orders.set(source, { attack, left: times })
})

wrapTransforms<Frame, Options>(({ readable, writable }, options) => {
  if (options.direction === 'receive') {
    return { readable: readable.pipeThrough(relayed(options.sender.source, added)), writable }
  }
  const relay = relayed(options.source, changed)
  void relay.readable.pipeTo(writable)
  return { readable, writable: relay.writable }
})

type Attack = (frame: Frame, source: MediaSource, attack: RelayAttack) => Frame[]

function relayed(source: MediaSource, attack: Attack): TransformStream<Frame, Frame> {
  let goodFrames = 0
  return new TransformStream({
    transform(frame, controller) {
      sent.set(source, new Uint8Array(frame.data.slice(0)))
      const order = orders.get(source)
      if (order === undefined || order.left === 0 || goodFrames++ < PAUSE || frame.type === 'key') {
        controller.enqueue(frame)
        return
      }
      goodFrames = 0
      order.left--
      for (const each of attack(frame, source, order.attack)) controller.enqueue(each)
      scope.postMessage({ type: 'relayed', source })
    },
  })
}

/** Another frame in place of the sender's. */
const changed: Attack = (frame, source, attack) => {
  const bytes = new Uint8Array(frame.data.slice(0))
  // In the tag: of a frame of silence the counter stands right ahead of it, and is another's then.
  if (attack === 'flip') bytes[bytes.length - 8] = (bytes.at(-8) ?? 0) ^ 0x04
  const other = source === 'camera' ? 'screen' : 'camera'
  if (attack === 'swap') return [withData(frame, sent.get(other) ?? bytes)]
  return [withData(frame, attack === 'cut' ? bytes.subarray(0, 12) : bytes)]
}

/** A frame more than the sender's. */
const added: Attack = (frame, source, attack) => {
  if (attack === 'replay')
    return [frame, withData(copy(frame), sent.get(source) ?? new Uint8Array())]
  // What no SFrame header may be, behind the byte that VP8 keeps in clear.
  const inClear = [...(frame.type === undefined ? [] : [0x01]), 0x88, 0x00]
  const noise = crypto.getRandomValues(new Uint8Array(100))
  return [frame, withData(copy(frame), new Uint8Array([...inClear, ...noise]))]
}

function copy(frame: Frame): Frame {
  const Copier = frame.type === undefined ? scope.RTCEncodedAudioFrame : scope.RTCEncodedVideoFrame
  return new Copier(frame)
}

function withData(frame: Frame, bytes: Uint8Array<ArrayBuffer>): Frame {
  frame.data = bytes.slice().buffer
  return frame
}
