import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Where connections that are made now go; undefined where nothing would take them. */
export type Target = () => number | undefined

interface Pair {
  readonly near: Socket
  readonly far: Socket
}

/** A TCP path that breaks as a test wants it to. Each connection goes to what the target says then. */
export class Wire {
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  #isDown = false
  #target: number | undefined

  private constructor(target: Target) {
    this.#server = createServer((near) => {
      const port = this.#isDown ? undefined : target()
      near.on('error', () => {})
      if (port === undefined) near.destroy()
      else this.#join(near, port)
    })
  }

  static async to(target: Target): Promise<Wire> {
    const wire = new Wire(target)
    wire.#server.listen(0, '127.0.0.1')
    await once(wire.#server, 'listening')
    return wire
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Where the newest connection goes. */
  get target(): number | undefined {
    return this.#target
  }

  /** Breaks what is open; who connects again is let through. */
  cut(): void {
    for (const { near, far } of this.#pairs) {
      near.destroy()
      far.destroy()
    }
  }

  /** Breaks what is open and refuses what comes. */
  down(): void {
    this.#isDown = true
    this.cut()
  }

  up(): void {
    this.#isDown = false
  }

  /** Of what is open, keeps back what the far side says. */
  swallowReplies(): void {
    for (const { near, far } of this.#pairs) {
      far.unpipe(near)
      far.resume()
    }
  }

  close(): void {
    this.down()
    this.#server.close()
  }

  #join(near: Socket, port: number): void {
    this.#target = port
    const far = connect(port, '127.0.0.1')
    far.setNoDelay()
    near.setNoDelay()
    const pair = { near, far }
    this.#pairs.add(pair)
    const end = () => {
      this.#pairs.delete(pair)
      near.destroy()
      far.destroy()
    }
    for (const side of [near, far]) side.on('error', end).on('close', end)
    near.pipe(far)
    far.pipe(near)
  }
}
