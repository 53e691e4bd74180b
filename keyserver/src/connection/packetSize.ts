import type { DeliverySocket } from './deliverySocket.ts'

type EngineConnection = DeliverySocket['conn']

/**
 * Cuts a connection whose packet grows beyond `limit` bytes. socket.io bounds each WebSocket frame,
 * and keeps a packet's byte strings, each of which is a frame of its own, until the last has come.
 *
 * @param cut called before the connection is cut
 */
export function cutOversizedPackets(
  connection: EngineConnection,
  limit: number,
  cut: () => void,
): void {
  let bytes = 0
  // An empty message has no data at all.
  connection.on('data', (frame?: string | Uint8Array) => {
    // A packet begins with text.
    bytes = typeof frame === 'string' ? frame.length : bytes + (frame?.byteLength ?? 0)
    if (bytes <= limit) return
    cut()
    connection.close(true)
  })
}
