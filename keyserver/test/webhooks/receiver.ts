import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Delivery {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The app's backend: notes what it is sent, and answers as the test says. */
export async function receiver(
  answer: (response: ServerResponse, delivery: Delivery) => void = (response) =>
    void response.writeHead(204).end(),
): Promise<{ readonly url: string; readonly deliveries: readonly Delivery[] }> {
  const deliveries: Delivery[] = []
  const server = createServer((request, response) => {
    void read(request).then((delivery) => {
      deliveries.push(delivery)
      answer(response, delivery)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/hooks?key=of-the-url`, deliveries }
}

async function read(request: IncomingMessage): Promise<Delivery> {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) body += chunk
  const { method = '', url: path = '' } = request
  return { method, path, headers: request.headers as Record<string, string>, body }
}
