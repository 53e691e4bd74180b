import { parseServerUrl } from '@conclave/core/access'
import { Manager, type Socket } from 'socket.io-client'

/** The app's access token, or where to get a fresh one for each attempt to connect. */
export type TokenSource = string | (() => string | Promise<string>)

/** One connection to a server, which carries any number of namespaces. */
export interface ServerConnection {
  /** The socket of a namespace, not connecting yet; the first that does opens the connection. */
  namespace(name: string, auth: object): Socket
}

/** @throws AccessError `url-invalid`, `insecure-url` */
export function connectServer(url: string): ServerConnection {
  const { origin, socketPath } = parseServerUrl(url)
  const manager = new Manager(origin, {
    path: socketPath,
    transports: ['websocket'],
    autoConnect: false,
    reconnectionDelay: 250,
    reconnectionDelayMax: 5_000,
  })
  return {
    namespace: (name, auth) => {
      const socket = manager.socket(name)
      socket.auth = auth as Socket['auth']
      return socket
    },
  }
}

/** socket.io's `auth` option: the token is asked for again at every attempt. */
export function authWith(token: TokenSource) {
  return (send: (auth: { token: string }) => void): void => {
    currentToken(token).then(
      (value) => send({ token: value }),
      // Without a token the server refuses, which is reported like any other refusal.
      () => send({ token: '' }),
    )
  }
}

async function currentToken(token: TokenSource): Promise<string> {
  return typeof token === 'function' ? await token() : token
}
