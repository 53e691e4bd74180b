import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultLimits } from '@conclave/keyserver'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readConfiguration, redacted } from '../../src/edge/configuration.ts'
import { secretVariables, settingsByName } from '../../src/edge/settings.ts'

const webhookSecret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

async function file(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'conclave-configuration-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'file')
  await writeFile(path, text)
  return path
}

describe('the configuration', () => {
  test('without any is a keyserver for development on loopback, in memory', () => {
    expect(readConfiguration([], {})).toEqual({
      host: '127.0.0.1',
      port: 4444,
      path: '/socket.io',
      tls: undefined,
      trustedProxies: 0,
      redis: undefined,
      removalKey: undefined,
      access: { secret: undefined, secrets: undefined, publicKeys: undefined, jwks: undefined },
      heartbeatMs: 10_000,
      graceMs: 10_000,
      idleMs: 30 * 60_000,
      maxMeetingMs: 24 * 3_600_000,
      limits: {
        groups: defaultLimits.groups,
        connections: defaultLimits.connections,
        connectionsPerAddress: defaultLimits.connectionsPerAddress,
        connectionsPerIdentity: defaultLimits.connectionsPerIdentity,
        connectionsPerMeeting: defaultLimits.connectionsPerMeeting,
        connectionAttemptsPerMinute: defaultLimits.connectionAttemptsPerMinute,
      },
      webhook: undefined,
      metrics: undefined,
      drainMs: 5_000,
      logLevel: 'info',
    })
  })

  test('comes from flags before the environment, and what is empty is absent', () => {
    const environment = {
      CONCLAVE_KEYSERVER_PORT: '5000',
      CONCLAVE_KEYSERVER_HOST: '127.0.0.2',
      CONCLAVE_KEYSERVER_GRACE_MS: '',
      CONCLAVE_KEYSERVER_METRICS_PORT: '9464',
      CONCLAVE_ACCESS_SECRET: 'a secret',
    }
    expect(readConfiguration(['--port', '6000'], environment)).toMatchObject({
      host: '127.0.0.2',
      port: 6000,
      heartbeatMs: 10_000,
      graceMs: 10_000,
      idleMs: 30 * 60_000,
      metrics: { host: '127.0.0.1', port: 9464 },
      access: { secret: 'a secret' },
    })
  })

  test('takes a secret from a file, without the line end', async () => {
    const path = await file('a secret\n')
    const { access } = readConfiguration([], { CONCLAVE_ACCESS_SECRET_FILE: path })
    expect(access.secret).toBe('a secret')
  })

  test('takes public keys and key sets from files, and the URL of a key set', async () => {
    const publicKeys = await file('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----')
    const jwks = await file('{"keys":[{"kty":"OKP"}]}')
    expect(
      readConfiguration(['--public-keys', publicKeys, '--jwks', jwks], {}).access,
    ).toMatchObject({
      publicKeys: expect.stringContaining('AAAA') as string,
      jwks: '{"keys":[{"kty":"OKP"}]}',
    })
    const environment = { CONCLAVE_ACCESS_JWKS: 'https://app.example/jwks.json' }
    expect(readConfiguration([], environment).access.jwks).toBe('https://app.example/jwks.json')
  })

  test('knows one Redis, and several that are a cluster', async () => {
    const urls = ['redis://127.0.0.1:7000', 'redis://127.0.0.1:7001']
    expect(readConfiguration(['--redis', 'redis://127.0.0.1:6379'], {}).redis).toEqual({
      urls: ['redis://127.0.0.1:6379'],
      allowLossy: false,
    })
    const environment = { REDIS_URL: urls.join(', '), CONCLAVE_KEYSERVER_ALLOW_LOSSY: 'true' }
    expect(readConfiguration([], environment).redis).toEqual({ urls, allowLossy: true })
    const path = await file('rediss://:hidden@redis.example:6379\n')
    expect(readConfiguration([], { REDIS_URL_FILE: path }).redis?.urls).toEqual([
      'rediss://:hidden@redis.example:6379',
    ])
  })

  test('lets a network in over TLS, or where a proxy ends it', async () => {
    const cert = await file('a certificate')
    const key = await file('a key')
    const open = ['--host', '0.0.0.0']
    expect(readConfiguration([...open, '--tls-cert', cert, '--tls-key', key], {}).tls).toEqual({
      cert: 'a certificate',
      key: 'a key',
    })
    const { host, tls } = readConfiguration(open, { CONCLAVE_KEYSERVER_BEHIND_TLS_PROXY: '1' })
    expect({ host, tls }).toEqual({ host: '0.0.0.0', tls: undefined })
  })

  test('is shown without its secrets', async () => {
    const cert = await file('a certificate')
    const key = await file('the TLS key')
    const { privateKey } = generateKeyPairSync('ed25519')
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' })
    const removalKey = await file(String(pem))
    const environment = {
      CONCLAVE_ACCESS_SECRET: 'the access secret',
      CONCLAVE_ACCESS_SECRETS: '{"new":"another access secret"}',
      CONCLAVE_WEBHOOK_URL: 'https://app.example/hooks',
      CONCLAVE_WEBHOOK_SECRET: webhookSecret,
      CONCLAVE_KEYSERVER_REMOVAL_KEY: removalKey,
      REDIS_URL: 'rediss://user:the-password@redis.example:6379',
    }
    const configuration = readConfiguration(['--tls-cert', cert, '--tls-key', key], environment)
    const secrets = /access secret|whsec|removalKey":\{"0":48|the TLS key|the-password/
    expect(JSON.stringify(configuration)).toMatch(secrets)
    expect(JSON.stringify(redacted(configuration))).not.toMatch(secrets)
    expect(redacted(configuration)).toMatchObject({
      access: { secret: '[redacted]', secrets: '[redacted]' },
      webhook: { url: 'https://app.example/hooks' },
    })
  })

  test.each<[string, string[], Record<string, string>]>([
    ['CONCLAVE_KEYSERVER_PORT', [], { CONCLAVE_KEYSERVER_PORT: 'ninety' }],
    ['CONCLAVE_KEYSERVER_PORT', [], { CONCLAVE_KEYSERVER_PORT: '70000' }],
    ['CONCLAVE_KEYSERVER_GRACE_MS', [], { CONCLAVE_KEYSERVER_GRACE_MS: '1' }],
    ['CONCLAVE_KEYSERVER_ALLOW_LOSSY', [], { CONCLAVE_KEYSERVER_ALLOW_LOSSY: 'perhaps' }],
    ['CONCLAVE_KEYSERVER_TRUSTED_PROXIES', [], { CONCLAVE_KEYSERVER_TRUSTED_PROXIES: '-1' }],
    ['CONCLAVE_KEYSERVER_MAX_MEETING_HOURS', [], { CONCLAVE_KEYSERVER_MAX_MEETING_HOURS: '0' }],
    ['CONCLAVE_KEYSERVER_TLS_CERT', [], { CONCLAVE_KEYSERVER_TLS_CERT: '/nowhere' }],
    ['CONCLAVE_ACCESS_SECRET_FILE', [], { CONCLAVE_ACCESS_SECRET_FILE: '/nowhere' }],
    [
      'CONCLAVE_ACCESS_SECRET_FILE',
      [],
      { CONCLAVE_ACCESS_SECRET_FILE: '/nowhere', CONCLAVE_ACCESS_SECRET: 'x' },
    ],
    ['CONCLAVE_ACCESS_JWKS', [], { CONCLAVE_ACCESS_JWKS: import.meta.filename }],
    ['CONCLAVE_ACCESS_SECRETS', [], { CONCLAVE_ACCESS_SECRETS: 'new=secret' }],
    ['--public-keys', ['--public-keys', import.meta.dirname], {}],
    ['CONCLAVE_WEBHOOK_SECRET', [], { CONCLAVE_WEBHOOK_URL: 'https://app.example' }],
    [
      'CONCLAVE_WEBHOOK_URL',
      [],
      { CONCLAVE_WEBHOOK_URL: 'http://app.example', CONCLAVE_WEBHOOK_SECRET: webhookSecret },
    ],
    [
      'CONCLAVE_WEBHOOK_SECRET',
      [],
      { CONCLAVE_WEBHOOK_URL: 'https://app.example', CONCLAVE_WEBHOOK_SECRET: 'guessable' },
    ],
    ['REDIS_URL', [], { REDIS_URL: 'http://redis.example' }],
    ['--redis', ['--redis', 'redis://:password@redis.example'], {}],
    ['--tls-key', ['--tls-cert', import.meta.filename], {}],
    ['--host', ['--host', '0.0.0.0'], {}],
    ['CONCLAVE_KEYSERVER_HOST', [], { CONCLAVE_KEYSERVER_HOST: '0.0.0.0' }],
    ['--removal-key', ['--removal-key', import.meta.filename], {}],
    ['--path', ['--path', '/elsewhere'], {}],
    ['--log-level', ['--log-level', 'chatty'], { CONCLAVE_KEYSERVER_LOG_LEVEL: 'info' }],
    ['--secret', ['--secret', 'x'], {}],
  ])('that is wrong names %s', (name, args, environment) => {
    expect(() => readConfiguration(args, environment)).toThrow(
      expect.objectContaining({
        code: 'configuration-invalid',
        message: expect.stringContaining(name) as string,
        remedy: expect.any(String) as string,
      }) as Error,
    )
  })

  test('has no two settings of one name, and no flag for a secret', () => {
    const settings = [...settingsByName.values()]
    const variables = settings.map(({ variable }) => variable)
    expect(new Set(variables).size).toBe(settings.length)
    expect(variables).not.toContain(secretVariables.secret)
    expect(variables).not.toContain(secretVariables.secrets)
    expect(variables).not.toContain(secretVariables.webhookSecret)
  })
})
