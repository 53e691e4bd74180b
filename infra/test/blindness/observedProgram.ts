import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import process from 'node:process'
import { writeHeapSnapshot } from 'node:v8'
import type { Order } from './orders.ts'

/*
 * Loaded before a server's own program (`--import`), which it leaves as it is: takes orders from the
 * test over the IPC channel.
 */

/** What was planted on the heap stays reachable. */
const planted: unknown[] = []
const sockets = new Set<Socket>()

subscribe('net.server.socket', (message) => {
  const { socket } = message as { readonly socket: Socket }
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
})

// A test that was killed leaves nothing behind.
process.once('disconnect', () => process.exit(1))

process.on('message', (order: Order) => {
  switch (order.order) {
    case 'snapshot':
      writeHeapSnapshot(order.path)
      break
    case 'hold':
      planted.push(order.value)
      break
    case 'log':
      process.stdout.write(order.bytes)
      break
    case 'tell':
      for (const socket of sockets) socket.write(binaryFrame(order.bytes))
      break
    default:
      return
  }
  process.send?.({ done: order.order })
})

/** A whole WebSocket message of fewer than 65,536 bytes (RFC 6455 §5.2). */
function binaryFrame(payload: Uint8Array): Buffer {
  const header = Buffer.from([0x82, 126, 0, 0])
  header.writeUInt16BE(payload.length, 2)
  return Buffer.concat([header, payload])
}
