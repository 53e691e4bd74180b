import { existsSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import sirv from 'sirv'
import { MeetingServerError } from './meetingServerError.ts'

/** What the page may do: run its own scripts and worker, and talk to this server. */
const policy = Object.entries({
  'default-src': "'none'",
  'script-src': "'self'",
  'worker-src': "'self'",
  'style-src': "'self'",
  'img-src': "'self'",
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
})
  .map(([directive, sources]) => `${directive} ${sources}`)
  .join('; ')

const headers = {
  'content-security-policy': policy,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(self), microphone=(self), clipboard-write=(self), geolocation=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/**
 * Serves the built page.
 *
 * @throws MeetingServerError `page-missing`
 */
export function servePage(
  folder: string,
): (request: IncomingMessage, response: ServerResponse) => void {
  if (!existsSync(join(folder, 'index.html'))) {
    throw new MeetingServerError('page-missing', `there is no page in ${folder}`, {
      remedy: 'npm run demo builds it.',
    })
  }
  const serve = sirv(folder, {
    etag: true,
    setHeaders: (response, path) => {
      // Vite names these by their content.
      if (path.startsWith('/assets/')) {
        response.setHeader('cache-control', 'public, max-age=31536000, immutable')
      }
    },
  })
  return (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end()
      return
    }
    // sirv lets an impossible range end the process, and nothing here is large.
    delete request.headers.range
    serve(request, response)
  }
}
