/**
 * The address that a client is counted under: an IPv4 address, or the /64 of an IPv6 address, which
 * is what one customer has at the least (RFC 6177).
 *
 * @param remoteAddress of the TCP connection
 * @param forwardedFor the header `X-Forwarded-For`: each proxy appends the address that it was
 *   called from, so only what the trusted ones have appended counts
 * @param trustedProxies how many proxies there are between the clients and this server
 */
export function clientAddress(
  remoteAddress: string,
  forwardedFor: string | undefined,
  trustedProxies: number,
): string {
  const hops = trustedProxies === 0 ? [] : (forwardedFor?.split(',') ?? [])
  const appended = hops[hops.length - trustedProxies] ?? hops[0]
  const forwarded = appended === undefined ? undefined : network(appended.trim())
  return forwarded ?? network(remoteAddress) ?? remoteAddress
}

const hostAndPort = /^\[([^\]]+)\](?::\d+)?$|^([^:]+)(?::\d+)?$|^(.+)$/

function network(address: string): string | undefined {
  // Some proxies add a port: `192.0.2.1:4321`, `[2001:db8::1]:4321`.
  const [, bracketed, v4, v6] = hostAndPort.exec(address) ?? []
  if (v4 !== undefined) return /^[\d.]+$/.test(v4) ? hostname(v4) : undefined
  const host = (bracketed ?? v6 ?? '').replace(/%.*$/, '')
  const canonical = hostname(`[${host}]`)?.slice(1, -1)
  return canonical === undefined ? undefined : prefixOf(canonical)
}

/** The URL parser brings addresses into their one canonical form (RFC 5952). */
function hostname(host: string): string | undefined {
  return URL.parse(`http://${host}/`)?.hostname
}

function prefixOf(address: string): string {
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  const groups = [...before, ...zeros, ...after]
  const [high, low] = groups.slice(6).map((group) => Number.parseInt(group, 16))
  if (
    groups.slice(0, 6).join(':') === '0:0:0:0:0:ffff' &&
    high !== undefined &&
    low !== undefined
  ) {
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
  }
  return `${groups.slice(0, 4).join(':')}::/64`
}
