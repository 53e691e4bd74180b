import { AccessError } from './accessError.ts'
import { isLoopbackHost } from './loopback.ts'

/** Where a server's socket.io endpoint is. */
export interface ServerEndpoint {
  /** Scheme and authority, `https://host:port`. */
  readonly origin: string
  /** The HTTP path of socket.io under the URL's prefix: `/prefix/socket.io`. */
  readonly socketPath: string
}

// Names in ASCII and no user information: what passes here means the same to every URL parser.
const SERVER_URL =
  /^(https?|wss?):\/\/(([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?)((?:\/[\w.~-]+)*)\/?$/i

/**
 * Reads the URL that a keyserver or SFU is reached under. `https://host/prefix` means socket.io at
 * the path `/prefix/socket.io`; `wss:` and `https:` are the same.
 *
 * Tokens and signalling travel in clear over `http:` and `ws:`, so those are for loopback alone.
 * `allowInsecure` is for servers that reach each other over a network of their own.
 *
 * @throws AccessError `url-invalid` or `insecure-url`
 */
export function parseServerUrl(
  url: string,
  options: { readonly allowInsecure?: boolean } = {},
): ServerEndpoint {
  const match = SERVER_URL.exec(url)
  const [, scheme = '', authority = '', host = '', prefix = ''] = match ?? []
  if (match === null) {
    throw new AccessError('url-invalid', `not a server URL: "${url}"`, {
      remedy: 'give it as https://host/prefix, without user name, query or fragment',
    })
  }
  const secure = scheme.toLowerCase() === 'https' || scheme.toLowerCase() === 'wss'
  if (!secure && options.allowInsecure !== true && !isLoopbackHost(host)) {
    throw new AccessError('insecure-url', `"${url}" would carry access tokens in clear`, {
      remedy: 'use https: or wss:; http: and ws: are for this machine alone',
    })
  }
  return {
    origin: `${secure ? 'https' : 'http'}://${authority}`,
    socketPath: `${prefix}/socket.io`,
  }
}
