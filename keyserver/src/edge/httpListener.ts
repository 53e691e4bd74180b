import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { ConfigurationError } from './configuration.ts'
import type { HttpHandler } from './httpHandlers.ts'

/** @throws ConfigurationError where certificate and key are not a pair */
export function httpServerOf(
  tls: { readonly cert: string; readonly key: string } | undefined,
  handle: HttpHandler,
): Server {
  if (tls === undefined) return createServer(handle)
  try {
    return createTlsServer(tls, handle)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ConfigurationError(
      'configuration-invalid',
      `--tls-cert and --tls-key: not a certificate and its key: ${reason}`,
      { cause, remedy: 'Give PEM files: the certificate chain, and the private key of its first.' },
    )
  }
}

/** @returns the port, which the system chooses for 0 */
export async function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<number> {
  server.listen(port, host)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Where it has been closed before too. */
export async function closeListener(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeAllConnections()
  await closed
}
