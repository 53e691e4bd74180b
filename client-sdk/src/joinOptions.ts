import type { Clock, ConclaveError, RandomBytes } from '@conclave/core'
import { fromUtf8, utf8 } from '@conclave/core/codec'
import type { SecretCrypto } from '@conclave/core/crypto/secret'
import type { MeetingTrust } from '@conclave/core/meeting'
import type { Invitation } from './directory/invitation.ts'
import type { TokenSource } from './edge/serverConnection.ts'
import type { FrameCryptor, FrameCryptorHost } from './media/index.ts'
import type { JoinProgress } from './session/entrance.ts'
import type { MeetingIdentity } from './session/identity.ts'
import { SessionError } from './session/sessionError.ts'
import type { SessionStore } from './session/store.ts'
import type { DeliveryTransport } from './session/transport.ts'

export interface JoinOptions {
  /** The keyserver's URL; `https:` except on this machine. */
  readonly keyserver: string
  readonly meetingId: string
  readonly token: TokenSource
  readonly identity: MeetingIdentity
  /** The caller's own terms for the meeting, compared with what its group says. */
  readonly trust: MeetingTrust
  /** An invitation of `DeviceDirectory`'s to this meeting and identity, by which to enter. */
  readonly invitation?: Invitation
  /** How long to wait to be let in, in milliseconds; 60 s where not given. */
  readonly joinTimeoutMs?: number
  /** Called as joining gets on. */
  readonly onProgress?: (progress: JoinProgress) => void
  /** Called with what the event `problem` tells once `join` has resolved. */
  readonly onProblem?: (error: ConclaveError) => void
  /** What the device keeps; IndexedDB where not given, and memory where that is missing. */
  readonly store?: SessionStore
  /**
   * Signs lists of what we send, so that the others see whether a frame is ours or another member's
   * who has the same keys; false where not given. It takes about a kilobyte a second of each source
   * and layer, and a list proves to anybody what we have sent: it cannot be denied any more.
   */
  readonly authenticateMedia?: boolean
  readonly clock?: Clock
  readonly random?: RandomBytes
  readonly crypto?: SecretCrypto
  /** Makes the way to the keyserver; socket.io to `keyserver` where not given. */
  readonly transport?: () => DeliveryTransport
  /** Made when media is first protected; the worker's where not given. */
  readonly createFrameCryptor?: (host: FrameCryptorHost) => FrameCryptor
}

export const defaultJoinTimeoutMs = 60_000
/** The longest that timers of browsers and Node can wait. */
const maxTimeoutMs = 2 ** 31 - 1
const maxNameBytes = 256

/** @throws SessionError `argument-invalid` */
export function checkJoinOptions(options: JoinOptions): void {
  checkName('meetingId', options.meetingId)
  checkName('identity.id', options.identity.id)
  checkTimeout('joinTimeoutMs', options.joinTimeoutMs ?? defaultJoinTimeoutMs)
  checkInvitation(options)
}

/** @throws SessionError `argument-invalid` */
export function checkName(what: string, name: string): void {
  const encoded = utf8(name)
  const wellFormed = fromUtf8(encoded) === name
  if (!wellFormed || encoded.length === 0 || encoded.length > maxNameBytes) {
    throw new SessionError(
      'argument-invalid',
      `${what} must be 1 to ${maxNameBytes} bytes of UTF-8`,
    )
  }
}

/** @throws SessionError `argument-invalid` */
export function checkTimeout(what: string, ms: number): void {
  if (ms > 0 && ms <= maxTimeoutMs) return
  throw new SessionError('argument-invalid', `${what} must be 1 to ${maxTimeoutMs}`)
}

function checkInvitation({ invitation, meetingId, identity }: JoinOptions): void {
  if (invitation === undefined) return
  if (invitation.meetingId === meetingId && invitation.identity === identity.id) return
  throw new SessionError('argument-invalid', 'the invitation is to another meeting or of another')
}
