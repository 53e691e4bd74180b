import { isIP, isIPv6 } from 'node:net'
import type { MediaAddress } from '@conclave/sfu'

const everyAddress = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
])

/** The URL under which this machine reaches a server that listens on `host`. */
export function localUrl(host: string, port: number): string {
  const reached = everyAddress.get(host) ?? host
  return `http://${isIPv6(reached) ? `[${reached}]` : reached}:${port}/`
}

/** Media is listened for where the page is; mediasoup takes no names. */
export function mediaAddressOf(host: string, announced: string | undefined): MediaAddress {
  const ip = isIP(host) === 0 ? namedAddress(host) : host
  return announced === undefined ? { ip } : { ip, announcedAddress: announced }
}

function namedAddress(host: string): string {
  return host.toLowerCase() === 'localhost' ? '127.0.0.1' : '0.0.0.0'
}
