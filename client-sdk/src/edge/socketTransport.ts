import {
  deliveryNamespace,
  type ReplyTo,
  type RequestName,
  type RequestOf,
  type ServerNotices,
} from '@conclave/core/delivery'
import type { Socket } from 'socket.io-client'
import { SessionError } from '../session/sessionError.ts'
import type { DeliveryTransport, TransportEvents } from '../session/transport.ts'
import { afterListening } from './listening.ts'
import { authWith, type ServerConnection, type TokenSource } from './serverConnection.ts'
import { checked, noticeSchemas, replySchemas } from './serverMessages.ts'

/** How long an answer may take before the request counts as lost, while we listen for it. */
const requestTimeoutSeconds = 15
/** The pause before trying again after the server has refused or hung up on purpose. */
const hungUpPauseMs = 1_000

/**
 * The delivery protocol over a socket.io connection, which others may share. Closing it closes its
 * namespace; the connection ends with the last of them.
 */
export function socketTransport(
  connection: Pick<ServerConnection, 'namespace'>,
  token: TokenSource,
): DeliveryTransport {
  let socket: Socket | undefined
  let again: ReturnType<typeof setTimeout> | undefined

  return {
    start: (events) => {
      const opened = connection.namespace(deliveryNamespace, authWith(token))
      socket = opened
      opened.on('connect', () => events.connected())
      opened.on('disconnect', (reason) => {
        events.disconnected()
        // socket.io leaves it to us after this one, which a draining server sends.
        if (reason === 'io server disconnect') {
          again = setTimeout(() => opened.connect(), hungUpPauseMs)
        }
      })
      opened.on('connect_error', (error) => {
        // Inactive means that the server refused; socket.io retries anything else by itself.
        if (opened.active) return
        const code = codeOf(error)
        if (isFinal(code)) events.rejected(code, error.message)
        else again = setTimeout(() => opened.connect(), hungUpPauseMs)
      })
      for (const name of Object.keys(noticeSchemas) as (keyof ServerNotices)[]) {
        opened.on(name, (notice: unknown) => deliver(name, notice, events))
      }
      opened.connect()
    },
    request: async (name, request) => {
      if (socket === undefined || !socket.connected) throw unreachable()
      const reply = await ask(socket, name, request)
      const known = checked(replySchemas[name], reply)
      if (known === undefined) {
        throw new SessionError('keyserver-protocol-violated', `unexpected answer to ${name}`)
      }
      return known as ReplyTo<typeof name>
    },
    close: () => {
      clearTimeout(again)
      socket?.off()
      socket?.disconnect()
    },
  }
}

async function ask<N extends RequestName>(
  socket: Socket,
  name: N,
  request: RequestOf<N>,
): Promise<unknown> {
  const waited = Promise.withResolvers<never>()
  const stop = afterListening(requestTimeoutSeconds, () =>
    waited.reject(new Error(`no answer to ${name}`)),
  )
  try {
    return await Promise.race([socket.emitWithAck(name, request), waited.promise])
  } catch (cause) {
    // Nobody knows what became of the request: start over, from where the log stands.
    if (socket.connected) socket.disconnect().connect()
    throw unreachable(cause)
  } finally {
    stop()
  }
}

/** A notice that cannot be understood is dropped: what it announces is found by resuming. */
function deliver<N extends keyof ServerNotices>(
  name: N,
  notice: unknown,
  events: TransportEvents,
): void {
  const known = checked(noticeSchemas[name], notice)
  if (known !== undefined) events.notice(name, known as ServerNotices[N])
}

/** Trying again changes nothing about these; a full server or a relay without its keyserver may recover. */
function isFinal(code: string): boolean {
  return code.startsWith('token-') || code === 'protocol-unsupported'
}

function codeOf(error: Error): string {
  const data: unknown = 'data' in error ? error.data : undefined
  const code = typeof data === 'object' && data !== null && 'code' in data ? data.code : undefined
  return typeof code === 'string' ? code : 'connection-refused'
}

function unreachable(cause?: unknown): SessionError {
  return new SessionError('keyserver-unreachable', 'the keyserver did not answer', {
    cause,
    remedy: 'Check the network and the keyserver URL; the session tries again by itself.',
  })
}
