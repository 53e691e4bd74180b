import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { build, defaultClientConditions } from 'vite'

/** The files of a page, built as an embedder's bundler would, the worker a file of its own. */
export async function buildPage(root: URL): Promise<Map<string, string>> {
  const result = await build({
    root: root.pathname,
    configFile: false,
    logLevel: 'warn',
    resolve: { conditions: ['conclave:source', ...defaultClientConditions] },
    build: { write: false, minify: false },
  })
  const files = new Map<string, string>()
  for (const { output } of [result].flat() as { output: { fileName: string }[] }[]) {
    for (const file of output) {
      const content = 'code' in file ? file.code : 'source' in file ? file.source : ''
      files.set(`/${file.fileName}`, String(content))
    }
  }
  return files
}

/** Serves files on a free port of 127.0.0.1, under a policy that allows scripts and workers of its own only. */
export function serveFiles(files: ReadonlyMap<string, string>): Promise<Server> {
  const server = createServer((request, response) => {
    const path = request.url === '/' ? '/index.html' : (request.url ?? '')
    const content = files.get(path)
    response.writeHead(content === undefined ? 404 : 200, {
      'content-type': path.endsWith('.js') ? 'text/javascript' : 'text/html',
      'content-security-policy': "default-src 'self'; script-src 'self'; worker-src 'self'",
    })
    response.end(content)
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

export function originOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
