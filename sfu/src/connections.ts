import type { AccessClaims } from '@conclave/core/access'
import type { Namespace, Server, Socket } from 'socket.io'

/**
 * socket.io types a server by one event map for all its namespaces. Here it is opaque: the relay
 * must not know its events, and those of `/media` are validated and typed where they are served.
 */
export interface OpaqueEvents {
  [name: string]: (...args: unknown[]) => void
}

/** What the SFU keeps with each connection to a namespace. */
export interface ConnectionData {
  claims: AccessClaims
}

export type SfuServer = Server<OpaqueEvents, OpaqueEvents, OpaqueEvents, ConnectionData>
export type ClientNamespace = Namespace<OpaqueEvents, OpaqueEvents, OpaqueEvents, ConnectionData>
export type ClientSocket = Socket<OpaqueEvents, OpaqueEvents, OpaqueEvents, ConnectionData>
