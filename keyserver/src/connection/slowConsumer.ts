import type { DeliverySocket } from './deliverySocket.ts'

type EngineConnection = DeliverySocket['conn']

/**
 * Cuts a connection that reads too slowly: when something is to be sent and more than `limit` bytes
 * wait already. What waits is freed; the client comes back and takes up the log where it stood.
 * Since pings are sent too, this is looked at even while nothing happens.
 *
 * @param cut called before the connection is cut
 */
export function cutSlowConsumer(
  connection: EngineConnection,
  limit: number,
  cut: () => void,
): void {
  const tcp = connection.request.socket
  let queued = 0
  // engine.io keeps packets while the one before is being written, then hands all of them on.
  connection.on('packetCreate', (packet: { readonly data?: string | ArrayBufferView }) => {
    if (queued + tcp.writableLength > limit && !tcp.destroyed) {
      cut()
      tcp.destroy()
      return
    }
    const { data } = packet
    queued += typeof data === 'string' ? data.length : (data?.byteLength ?? 0)
  })
  connection.on('flush', () => {
    queued = 0
  })
}
