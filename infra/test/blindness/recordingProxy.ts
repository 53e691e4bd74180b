import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { WebSocketPayloads } from './webSocketPayloads.ts'

/** What went through a connection in one direction. */
class Direction {
  /** As it came, HTTP and frame headers included. */
  readonly wire: Buffer[] = []
  readonly payloads = new WebSocketPayloads()

  take(chunk: Buffer): void {
    this.wire.push(chunk)
    this.payloads.push(chunk)
  }

  get texts(): Buffer[] {
    return [Buffer.concat(this.wire), Buffer.concat(this.payloads.messages)]
  }
}

/** A way to a server that keeps all that goes through it. */
export class RecordingProxy {
  readonly #server: Server
  readonly #fromClients: Direction[] = []
  readonly #toClients: Direction[] = []
  readonly #open = new Set<Socket>()

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      const target = connect(targetPort, '127.0.0.1')
      this.#pass(client, target, this.#fromClients)
      this.#pass(target, client, this.#toClients)
    })
  }

  static async start(targetPort: number): Promise<RecordingProxy> {
    const proxy = new RecordingProxy(targetPort)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** All so far: each connection's bytes, and what its WebSocket frames hold, unmasked. */
  get fromClients(): Buffer[] {
    return this.#fromClients.flatMap(({ texts }) => texts)
  }

  get toClients(): Buffer[] {
    return this.#toClients.flatMap(({ texts }) => texts)
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#open) socket.destroy()
  }

  #pass(from: Socket, to: Socket, recorded: Direction[]): void {
    const direction = new Direction()
    recorded.push(direction)
    this.#open.add(from)
    from.on('data', (chunk: Buffer) => {
      direction.take(chunk)
      to.write(chunk)
    })
    from.on('error', () => to.destroy())
    from.on('close', () => {
      this.#open.delete(from)
      to.destroy()
    })
  }
}
