import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A TCP path to a server, which a test can cut and mend. */
export interface Wire {
  readonly url: string
  /** Breaks what is open and refuses what comes. */
  cut(): void
  /** Lets through again, to another server if one is given. */
  mend(url?: string): void
}

export async function wireTo(target: string): Promise<Wire> {
  let port = Number(new URL(target).port)
  let isCut = false
  const open = new Set<Socket>()
  const server = createServer((near) => {
    if (isCut) {
      near.destroy()
      return
    }
    const far = connect(port, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        open.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    isCut = true
    for (const socket of open) socket.destroy()
  }
  onTestFinished(() => {
    cut()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: (url = target) => {
      port = Number(new URL(url).port)
      isCut = false
    },
  }
}
