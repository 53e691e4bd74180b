import type { AccessClaims } from '@conclave/core/access'
import type {
  ClientToServerEvents,
  ServerNotices,
  ServerToClientEvents,
} from '@conclave/core/delivery'
import type { Namespace } from 'socket.io'
import type { Connection } from './connection.ts'

export interface SocketData {
  claims: AccessClaims
  connection: Connection
}

/** What instances of one store tell each other. */
export interface InstanceEvents {
  closed: (meetingId: string, groupId: string, reason: ServerNotices['closed']['reason']) => void
  continued: (meetingId: string, groupId: string, next: string) => void
}

/** The namespace of the delivery protocol. */
export type DeliveryNamespace = Namespace<
  ClientToServerEvents,
  ServerToClientEvents,
  InstanceEvents,
  SocketData
>
export type DeliverySocket = Parameters<Parameters<DeliveryNamespace['use']>[0]>[0]
