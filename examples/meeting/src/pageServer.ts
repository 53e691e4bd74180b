import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { localUrl } from './addresses.ts'
import { servePage } from './pageHandler.ts'

/**
 * Serves the built page alone, for where keyserver and SFU are programs of their own behind the same
 * proxy: `node dist/pageServer.js [--host 127.0.0.1] [--port 3000]`.
 */
const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '3000' },
  },
})

const httpServer = createServer(servePage(fileURLToPath(new URL('./page', import.meta.url))))
httpServer.listen(Number(values.port), values.host)
await once(httpServer, 'listening')
const { port } = httpServer.address() as AddressInfo
process.stdout.write(`The page is at ${localUrl(values.host, port)}\n`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    httpServer.close()
    httpServer.closeAllConnections()
  })
}
