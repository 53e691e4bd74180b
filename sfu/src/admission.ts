import type { ClientNamespace, ClientSocket } from './connections.ts'

/**
 * Why a client is not connected to a namespace, as its `connect_error`: `data` is
 * `{ code, message }`, or whatever the keyserver gave as its reason.
 */
export class ConnectRefusal extends Error {
  override readonly name = 'ConnectRefusal'
  readonly data: unknown

  constructor(code: string, message: string, data: unknown = { code, message }) {
    super(message)
    this.data = data
  }
}

/**
 * Lets those clients into the namespace whom `check` does not refuse, each connection once: socket.io
 * itself would make as many sockets of a connection as it sends CONNECT packets.
 */
export function admitClients(
  namespace: ClientNamespace,
  check: (socket: ClientSocket) => Promise<void>,
): void {
  const admitted = new WeakSet<object>()
  namespace.use((socket, next) => {
    const { conn } = socket
    if (admitted.has(conn)) {
      next(new ConnectRefusal('already-connected', 'this connection is on the namespace already'))
      return
    }
    admitted.add(conn)
    check(socket).then(
      () => next(),
      (error: Error) => {
        admitted.delete(conn)
        next(error)
      },
    )
  })
  namespace.on('connection', (socket) => {
    socket.on('disconnect', () => admitted.delete(socket.conn))
  })
}
