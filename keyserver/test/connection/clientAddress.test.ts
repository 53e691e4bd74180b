import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clientAddress } from '../../src/connection/clientAddress.ts'

const proxy = '10.0.0.1'

describe("a client's address", () => {
  test.each<[string, number, string | undefined, string]>([
    ['is that of the socket', 0, undefined, proxy],
    ['is not what a client says without a proxy', 0, '192.0.2.7', proxy],
    ['is what the one proxy has appended', 1, '203.0.113.9, 192.0.2.7', '192.0.2.7'],
    ['is what the first of two proxies has appended', 2, 'fake, 192.0.2.7, 10.0.0.2', '192.0.2.7'],
    ['is the farthest known where a proxy was passed by', 2, '192.0.2.7', '192.0.2.7'],
    ['is that of the socket where the proxy says nothing', 1, undefined, proxy],
    ['is that of the socket where the proxy says nonsense', 1, 'unknown', proxy],
    ['is that of the socket where the proxy names a name', 1, 'host.example', proxy],
    ['is that of the socket where nothing is between the commas', 1, ',', proxy],
    ['is without a port', 1, '192.0.2.7:4711', '192.0.2.7'],
    ['is without a port in IPv6', 1, '[2001:db8:1:2::7]:4711', '2001:db8:1:2::/64'],
  ])('%s', (_, trustedProxies, forwardedFor, expected) => {
    expect(clientAddress(proxy, forwardedFor, trustedProxies)).toBe(expected)
  })

  test.each([
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:c000:0207', '192.0.2.7'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['2001:DB8:0001:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8:0:0::/64'],
    ['not an address', 'not an address'],
  ])('%s counts as %s', (address, expected) => {
    expect(clientAddress(address, undefined, 0)).toBe(expected)
  })

  test('is one for a /64 however it is written, and another for another /64', () => {
    const groups = fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 })
    fc.assert(
      fc.property(groups, groups, (one, other) => {
        fc.pre(one.slice(0, 4).some((group) => group !== 0))
        const written = (address: readonly number[]) =>
          address.map((group) => group.toString(16)).join(':')
        const at = (address: readonly number[]) => clientAddress(written(address), undefined, 0)
        const padded = one.map((group) => group.toString(16).toUpperCase().padStart(4, '0'))
        expect(clientAddress(padded.join(':'), undefined, 0)).toBe(at(one))
        expect(at([...one.slice(0, 4), ...other.slice(4)])).toBe(at(one))
        const same = one.slice(0, 4).every((group, index) => group === other[index])
        expect(at(one) === at(other)).toBe(same)
      }),
    )
  })

  test('is found in whatever stands in the header', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.nat(4), (remote, forwarded, hops) => {
        expect(typeof clientAddress(remote, forwarded, hops)).toBe('string')
      }),
    )
  })
})
