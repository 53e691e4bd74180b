import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Access, isLoopbackHost } from '@conclave/core/access'
import { getRequestListener } from '@hono/node-server'
import { z } from 'zod'
import type { Keyserver } from '../keyserver.ts'
import type { KeyserverMetrics } from '../metrics/keyserverMetrics.ts'
import type { Readiness } from './readiness.ts'

/** Answers a request, or says by `false` that it is not for this handler. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => boolean

/** `GET /healthz`: the process lives, whatever its store does. */
export function handleHealth(keyserver: () => Keyserver | undefined): HttpHandler {
  return (request, response) => {
    if (request.method !== 'GET' || pathOf(request) !== '/healthz') return false
    const health = keyserver()?.health()
    answer(response, health === undefined ? 503 : 200, health ?? { status: 'starting' })
    return true
  }
}

/** `GET /readyz`: clients may be sent here; else 503 with the reason as `code`. */
export function handleReadiness(readiness: Pick<Readiness, 'problem'>): HttpHandler {
  return (request, response) => {
    if (request.method !== 'GET' || pathOf(request) !== '/readyz') return false
    readiness.problem().then(
      (problem) => {
        if (problem === undefined) answer(response, 200, { status: 'ready' })
        else refuse(response, 503, problem)
      },
      () => refuse(response, 500, 'internal'),
    )
    return true
  }
}

/** The backend API, which answers all below its base path. */
export function handleApi(
  answerRequest: Parameters<typeof getRequestListener>[0],
  basePath: string,
): HttpHandler {
  const listen = getRequestListener(answerRequest)
  return (request, response) => {
    if (!pathOf(request).startsWith(`${basePath}/v1/`)) return false
    listen(request, response).catch(() => response.destroy())
    return true
  }
}

/** `GET /metrics`: the text format of Prometheus. */
export function handleMetrics(
  metrics: Pick<KeyserverMetrics, 'contentType' | 'render'>,
): HttpHandler {
  return (request, response) => {
    if (request.method !== 'GET' || pathOf(request) !== '/metrics') return false
    metrics.render().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
      () => refuse(response, 500, 'internal'),
    )
    return true
  }
}

const tokenRequest = z.object({
  identity: z.string().min(1).max(256),
  meeting: z.string().min(1).max(256),
})
const maxBodyBytes = 4096

/**
 * `POST /dev/token` with `{ identity, meeting }` gives `{ token }`, in development mode alone and to
 * this machine alone. The Host header is looked at too, so that no web page can reach it through a
 * name of its own that points here.
 */
export function handleDevelopmentTokens(access: Access): HttpHandler {
  return (request, response) => {
    if (access.mode !== 'development' || pathOf(request) !== '/dev/token') return false
    if (request.method !== 'POST') {
      refuse(response, 405, 'method-not-allowed')
    } else if (!isFromThisMachine(request)) {
      refuse(response, 403, 'not-loopback')
    } else {
      mintFor(request, response, access.mint).catch(() =>
        refuse(response, 400, 'request-malformed'),
      )
    }
    return true
  }
}

/** Tries each handler in turn; what none of them takes is not found. */
export function firstOf(...handlers: readonly HttpHandler[]): HttpHandler {
  return (request, response) => {
    if (!handlers.some((handler) => handler(request, response))) refuse(response, 404, 'not-found')
    return true
  }
}

async function mintFor(
  request: IncomingMessage,
  response: ServerResponse,
  mint: Extract<Access, { mode: 'development' }>['mint'],
): Promise<void> {
  const body = await readBody(request)
  if (body === undefined) return refuse(response, 413, 'payload-too-large')
  const { identity, meeting } = tokenRequest.parse(JSON.parse(body))
  answer(response, 200, { token: await mint({ identity, meeting }) })
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk
    if (body.length > maxBodyBytes) return undefined
  }
  return body
}

function isFromThisMachine({ socket, headers }: IncomingMessage): boolean {
  const address = socket.remoteAddress?.replace(/^::ffff:/, '') ?? ''
  const host = headers.host?.replace(/:\d+$/, '') ?? ''
  return isLoopbackHost(address) && isLoopbackHost(host)
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? ''
}

function refuse(response: ServerResponse, status: number, code: string): void {
  answer(response, status, { code })
}

function answer(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent) return
  response
    .writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    .end(JSON.stringify(body))
}
