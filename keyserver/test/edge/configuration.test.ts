import { describe, expect, test } from 'vitest'
import { readConfiguration } from '../../src/edge/configuration.ts'

describe('the configuration', () => {
  test('without any is a keyserver for development on loopback', () => {
    expect(readConfiguration([], {})).toEqual({
      host: '127.0.0.1',
      port: 4444,
      path: '/socket.io',
      graceMs: 10_000,
      logLevel: 'info',
      accessSecret: undefined,
    })
  })

  test('comes from flags before the environment, and the secret from the environment', () => {
    const environment = {
      CONCLAVE_KEYSERVER_PORT: '5000',
      CONCLAVE_KEYSERVER_HOST: '0.0.0.0',
      CONCLAVE_KEYSERVER_GRACE_MS: '',
      CONCLAVE_ACCESS_SECRET: 'a secret',
    }
    expect(readConfiguration(['--port', '6000'], environment)).toMatchObject({
      host: '0.0.0.0',
      port: 6000,
      graceMs: 10_000,
      accessSecret: 'a secret',
    })
  })

  test.each<[string, string[], Record<string, string>]>([
    ['CONCLAVE_KEYSERVER_PORT', [], { CONCLAVE_KEYSERVER_PORT: 'ninety' }],
    ['CONCLAVE_KEYSERVER_PORT', [], { CONCLAVE_KEYSERVER_PORT: '70000' }],
    ['CONCLAVE_KEYSERVER_GRACE_MS', [], { CONCLAVE_KEYSERVER_GRACE_MS: '1' }],
    ['--path', ['--path', '/elsewhere'], {}],
    ['--log-level', ['--log-level', 'chatty'], { CONCLAVE_KEYSERVER_LOG_LEVEL: 'info' }],
    ['--secret', ['--secret', 'x'], {}],
  ])('that is wrong names %s', (name, args, environment) => {
    expect(() => readConfiguration(args, environment)).toThrow(
      expect.objectContaining({
        code: 'configuration-invalid',
        message: expect.stringContaining(name) as string,
      }) as Error,
    )
  })
})
