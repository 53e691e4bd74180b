import process from 'node:process'
import * as mediasoup from 'mediasoup'
import { opus } from '../../../sfu/test/fixtures/rtp.ts'
import type { Answer, Failure, Order } from './orders.ts'

/*
 * Loaded before the SFU's program: lets plain RTP into a room's router and out of it. WebRTC's way
 * in, DTLS, needs a browser; the worker forwards either in the same way.
 */

type Router = Awaited<
  ReturnType<Awaited<ReturnType<typeof mediasoup.createWorker>>['createRouter']>
>

const routers: Router[] = []
mediasoup.observer.on('newworker', (worker) => {
  worker.observer.on('newrouter', (router) => routers.push(router))
})

process.on('message', (order: Order) => {
  if (order.order !== 'media') return
  openPorts(order).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ failed: String(error) } satisfies Failure),
  )
})

async function openPorts({
  receiverPort,
  ssrc,
}: Extract<Order, { order: 'media' }>): Promise<Answer> {
  const router = routers.at(-1)
  if (router === undefined) throw new Error('the SFU has no room')
  const listenInfo = { protocol: 'udp', ip: '127.0.0.1' } as const
  const incoming = await router.createPlainTransport({ listenInfo, rtcpMux: true, comedia: true })
  const outgoing = await router.createPlainTransport({ listenInfo, rtcpMux: true })
  await outgoing.connect({ ip: '127.0.0.1', port: receiverPort })
  const { mid: _, ...rtpParameters } = opus(ssrc)
  const producer = await incoming.produce({
    kind: 'audio',
    rtpParameters: { ...rtpParameters, headerExtensions: [] },
  })
  const { rtpCapabilities } = router
  await outgoing.consume({ producerId: producer.id, rtpCapabilities })
  return { done: 'media', senderPort: incoming.tuple.localPort }
}
