import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** Bytes of TCP payload, with the WebSocket's own. */
export interface Traffic {
  readonly received: number
  readonly sent: number
}

/** What goes through the connections of a server. */
export class ConnectionTraffic {
  readonly #open = new Set<Socket>()
  #received = 0
  #sent = 0

  constructor(server: Server) {
    server.on('connection', (socket) => {
      this.#open.add(socket)
      socket.once('close', () => {
        this.#open.delete(socket)
        this.#received += socket.bytesRead
        this.#sent += socket.bytesWritten
      })
    })
  }

  bytes(): Traffic {
    let [received, sent] = [this.#received, this.#sent]
    for (const socket of this.#open) {
      received += socket.bytesRead
      sent += socket.bytesWritten
    }
    return { received, sent }
  }

  cut(): void {
    for (const socket of this.#open) socket.destroy()
  }
}
