import { parseServerUrl } from '@conclave/core/access'
import { describe, expect, test } from 'vitest'

describe('server URLs', () => {
  test.each([
    ['https://sfu.example', 'https://sfu.example', '/socket.io'],
    ['https://sfu.example/', 'https://sfu.example', '/socket.io'],
    ['wss://meet.example:8443/sfu', 'https://meet.example:8443', '/sfu/socket.io'],
    ['https://meet.example/eu-1/sfu/', 'https://meet.example', '/eu-1/sfu/socket.io'],
    ['http://127.0.0.1:3000/keyserver', 'http://127.0.0.1:3000', '/keyserver/socket.io'],
    ['ws://localhost:3000', 'http://localhost:3000', '/socket.io'],
    ['http://[::1]:3000/sfu', 'http://[::1]:3000', '/sfu/socket.io'],
  ])('%s is the endpoint %s%s', (url, origin, socketPath) => {
    expect(parseServerUrl(url)).toEqual({ origin, socketPath })
  })

  test.each([
    'http://sfu.example',
    'ws://192.168.1.4:3000/sfu',
    'http://127.1',
    'http://localhost.',
  ])('%s is refused: it leaves this machine in clear', (url) => {
    const code = url.endsWith('.') ? 'url-invalid' : 'insecure-url'
    expect(() => parseServerUrl(url)).toThrow(expect.objectContaining({ code }) as Error)
  })

  test.each([
    '',
    'sfu.example',
    'ftp://sfu.example',
    'https://',
    'http://localhost.',
    'https://user@sfu.example',
    'http://127.0.0.1\\.evil.example',
    'http://127.0.0.1#.evil.example',
    'https://sfu.example/?token=x',
    'https://sfu.example/../x y',
  ])('"%s" is not a server URL', (url) => {
    expect(() => parseServerUrl(url)).toThrow(
      expect.objectContaining({ code: 'url-invalid' }) as Error,
    )
  })

  test('servers may reach each other in clear when told so', () => {
    expect(parseServerUrl('http://keyserver:3000', { allowInsecure: true }).origin).toBe(
      'http://keyserver:3000',
    )
  })
})
