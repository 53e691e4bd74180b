/**
 * Whether a host name or address (an IPv6 address with or without brackets) can only be reached
 * from this machine: `localhost`, 127.0.0.0/8 and `::1`. Names are not resolved.
 */
export function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  if (name === 'localhost' || name === '::1') return true
  const octets = /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(name)
  return octets?.slice(1).every((octet) => Number(octet) <= 255) ?? false
}
