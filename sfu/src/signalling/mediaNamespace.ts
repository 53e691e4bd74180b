import type { Clock } from '@conclave/core'
import { AccessError } from '@conclave/core/access'
import type {
  MediaRefusal,
  MediaRefusalCode,
  MediaRequest,
  MediaRequestName,
} from '@conclave/core/mediaSignalling'
import * as mediasoup from 'mediasoup'
import type { Logger } from 'pino'
import type { ClientNamespace, ClientSocket } from '../connections.ts'
import type { SfuLimits } from '../limits.ts'
import type { SfuObserver } from '../observer.ts'
import { RateLimit } from '../rateLimit.ts'
import { Refusal } from '../rooms/refusal.ts'
import type { Notify } from '../rooms/room.ts'
import type { Rooms } from '../rooms/rooms.ts'
import { MediaSession } from './mediaSession.ts'
import { isRequestName, requestSchemas } from './requestSchemas.ts'

export interface MediaNamespaceOptions {
  readonly rooms: Rooms
  readonly limits: SfuLimits
  readonly clock: Clock
  readonly logger: Logger
  readonly observer: SfuObserver
}

/** Serves signalling to every authenticated client of the namespace. */
export function serveMedia(namespace: ClientNamespace, options: MediaNamespaceOptions): void {
  namespace.on('connection', (socket) => serveClient(socket, options))
}

function serveClient(socket: ClientSocket, options: MediaNamespaceOptions): void {
  const { rooms, limits, clock, logger, observer } = options
  const log = logger.child({ peer: socket.id, identity: socket.data.claims.identity })
  const notify: Notify = (name, ...args) => {
    socket.emit(name, ...args)
  }
  const session = new MediaSession({
    peerId: socket.id,
    claims: socket.data.claims,
    rooms,
    limits,
    clock,
    notify,
    onJoinTimeout: () => {
      notify('roomClosed', { code: 'join-timeout' })
      socket.disconnect()
    },
  })
  const rate = new RateLimit(limits.messagesPerSecond, clock)
  let pending = 0
  // A client's requests are handled one after the other, so that limits hold without reservations.
  let previous: Promise<void> = Promise.resolve()

  socket.onAny((name: unknown, ...args: unknown[]) => {
    const acknowledge = replyTo(args)
    const refuse = (code: MediaRefusalCode, message: string) => {
      observer.emit('refused', { request: isRequestName(name) ? name : 'unknown', code })
      acknowledge({ ok: false, code, message })
    }
    if (!rate.take() || pending >= limits.pendingRequests) {
      refuse('rate-limited', 'too many requests at a time')
      return
    }
    if (!isRequestName(name)) {
      refuse('request-unknown', 'the SFU knows no such request')
      return
    }
    pending += 1
    previous = previous.then(async () => {
      try {
        acknowledge({ ok: true, ...(await session.handle(name, parseRequest(name, args[0]))) })
      } catch (error) {
        const refusal = refusalFor(error)
        if (refusal.code === 'media-failed') log.error({ err: error, request: name }, 'failed')
        refuse(refusal.code, refusal.message)
      } finally {
        pending -= 1
      }
    })
  })
  socket.on('error', (error) => {
    log.debug({ err: error }, 'a client sent what is no packet')
  })
  socket.on('disconnect', (reason) => {
    log.debug({ reason }, 'a client disconnected')
    session.close()
  })
}

/** The acknowledgement that the client asked for; a client may ask for none. */
function replyTo(args: readonly unknown[]): (reply: MediaRefusal | { readonly ok: true }) => void {
  const last = args.at(-1)
  return typeof last === 'function' ? (reply) => void last(reply) : () => {}
}

/** @throws Refusal `request-malformed`, naming the field that is wrong but never its value */
function parseRequest<Name extends MediaRequestName>(
  name: Name,
  payload: unknown,
): MediaRequest<Name> {
  const parsed = requestSchemas[name].safeParse(payload)
  if (parsed.success) return parsed.data
  const path = parsed.error.issues[0]?.path.map(String).join('.') ?? ''
  throw new Refusal(
    'request-malformed',
    path === '' ? 'the request is malformed' : `the request is malformed at ${path}`,
  )
}

function refusalFor(error: unknown): { code: MediaRefusalCode; message: string } {
  if (error instanceof Refusal) return { code: error.code, message: error.message }
  if (error instanceof AccessError) {
    const code = error.code === 'token-wrong-meeting' ? error.code : 'token-grant-missing'
    return { code, message: error.message }
  }
  if (error instanceof mediasoup.errors.UnsupportedError) {
    return { code: 'unsupported-codec', message: 'no codec that the room has a frame rule for' }
  }
  if (error instanceof mediasoup.errors.WorkerClosedError) {
    return { code: 'room-closed', message: 'the room has been closed' }
  }
  if (error instanceof TypeError) {
    return { code: 'request-malformed', message: 'the media parameters do not fit together' }
  }
  return { code: 'media-failed', message: 'the SFU could not do this' }
}
