import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import '../../../core/test/credentials/reflectMetadata.ts'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { request as requestTls } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { HmacAccessKey, mintToken } from '@conclave/core/access'
import { systemClock } from '@conclave/keyserver'
import {
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readConfiguration } from '../../src/edge/configuration.ts'
import { serve } from '../../src/edge/serve.ts'
import { TestClient } from '../support/testClient.ts'
import { meetingOf } from '../support/testMember.ts'
import { Standalone } from './standalone.ts'

const secret = 'a secret of at least thirty-two bytes'

async function start(environment: Record<string, string> = {}) {
  const configuration = readConfiguration(['--port', '0', '--drain-ms', '0'], environment)
  const running = await serve(configuration, pino({ level: 'silent' }))
  onTestFinished(() => running.close())
  return { url: `http://127.0.0.1:${running.port}`, port: running.port }
}

function askFor(url: string, body: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number | undefined; body: unknown }>((resolve, reject) => {
    const asked = request(`${url}/dev/token`, { method: 'POST', headers }, (response) => {
      text(response).then(
        (answer) => resolve({ status: response.statusCode, body: JSON.parse(answer) }),
        reject,
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** A certificate for localhost and its key, in files. */
async function certificate() {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const made = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=localhost',
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }])],
  })
  const cert = made.toString('pem')
  const key = PemConverter.encode(
    await crypto.subtle.exportKey('pkcs8', keys.privateKey),
    'PRIVATE KEY',
  )
  const folder = await mkdtemp(join(tmpdir(), 'conclave-tls-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  await writeFile(certFile, cert)
  await writeFile(keyFile, key)
  return { cert, certFile, keyFile }
}

describe('a standalone keyserver', () => {
  test('without a secret mints tokens that it accepts', async () => {
    const { url } = await start()
    const { status, body } = await askFor(
      url,
      JSON.stringify({ identity: 'alice', meeting: 'standup' }),
    )
    expect(status).toBe(200)
    const client = new TestClient(url, { ...(body as object) })
    onTestFinished(() => client.disconnect())
    await client.connected()
    expect(await client.enter('standup')).toMatchObject({ ok: true })
  })

  test.each<[string, number, string, Record<string, string>]>([
    ['that is not JSON', 400, '{', {}],
    ['without a meeting', 400, '{"identity":"alice"}', {}],
    ['that is too large', 413, ' '.repeat(5000), {}],
    ['by a name of another machine', 403, '{}', { host: 'rebound.example' }],
  ])('refuses a request for a token %s', async (_, status, body, headers) => {
    const { url } = await start()
    expect(await askFor(url, body, headers)).toMatchObject({ status })
  })

  test('with a secret mints nothing and accepts what the backend has minted', async () => {
    const { url } = await start({ CONCLAVE_ACCESS_SECRET: secret })
    expect(await askFor(url, '{"identity":"alice","meeting":"standup"}')).toMatchObject({
      status: 404,
    })
    const key = new HmacAccessKey(secret)
    const token = await mintToken({ identity: 'alice', meeting: 'standup' }, key, systemClock)
    const client = new TestClient(url, { token })
    onTestFinished(() => client.disconnect())
    await client.connected()
    expect(await client.enter('standup')).toMatchObject({ ok: true })
  })

  test('says how it is', async () => {
    const { url } = await start()
    const response = await fetch(`${url}/healthz`)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ status: 'ok', connections: 0, meetings: 0 })
    expect((await fetch(`${url}/elsewhere`)).status).toBe(404)
  })

  test('is ready until it is asked to stop', async () => {
    const { running, url } = await Standalone.start(['--drain-ms', '600000'])
    const ready = await fetch(`${url}/readyz`)
    expect(ready.status).toBe(200)
    expect(await ready.json()).toEqual({ status: 'ready' })
    void running.drain()
    const draining = await fetch(`${url}/readyz`)
    expect(draining.status).toBe(503)
    expect(await draining.json()).toEqual({ code: 'draining' })
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
  })

  test('serves on while it drains, and then tells everybody', async () => {
    const server = await Standalone.start()
    const [alice] = await meetingOf(server, 'alice', 'bob')
    await server.running.drain()
    expect(alice?.client.notices.closed).toMatchObject([{ reason: 'shutdown' }])
    expect(alice?.client.socket.connected).toBe(false)
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow()
  })

  test('has its metrics on a port of their own, or for those who may manage', async () => {
    const server = await Standalone.start(['--metrics-port', '0'])
    await meetingOf(server, 'alice', 'bob')
    expect((await fetch(`${server.url}/metrics`)).status).toBe(404)
    const metrics = await fetch(`http://127.0.0.1:${server.running.metricsPort}/metrics`)
    expect(metrics.headers.get('content-type')).toMatch(/^text\/plain/)
    const text = await metrics.text()
    expect(text).toMatch(/^conclave_keyserver_commits_accepted_total 1$/m)
    expect(text).toMatch(/^conclave_keyserver_connections 2$/m)
    expect(text).toMatch(/^conclave_keyserver_meetings 1$/m)
    expect(text).toMatch(/^conclave_keyserver_store_step_seconds_count{step="appendCommit".*} 1$/m)
    expect(text).not.toMatch(/standup|alice/)
    const authorization = `Bearer ${await server.manager()}`
    const managed = await fetch(`${server.url}/v1/metrics`, { headers: { authorization } })
    expect(await managed.text()).toMatch(/^conclave_keyserver_commits_accepted_total 1$/m)
  })

  test('speaks TLS with a certificate of its own', async () => {
    const { cert, certFile, keyFile } = await certificate()
    const { running } = await Standalone.start(['--tls-cert', certFile, '--tls-key', keyFile])
    const options = { ca: cert, host: 'localhost', port: running.port, path: '/readyz' }
    const status = await new Promise((resolve, reject) => {
      requestTls(options, ({ statusCode }) => resolve(statusCode))
        .on('error', reject)
        .end()
    })
    expect(status).toBe(200)
    await expect(
      Standalone.start(['--tls-cert', keyFile, '--tls-key', keyFile]),
    ).rejects.toMatchObject({
      code: 'configuration-invalid',
      message: expect.stringContaining('--tls-cert') as string,
    })
  })

  test('refuses to serve a network without a secret, and to start twice on a port', async () => {
    const open = {
      CONCLAVE_KEYSERVER_HOST: '0.0.0.0',
      CONCLAVE_KEYSERVER_BEHIND_TLS_PROXY: 'true',
    }
    await expect(start(open)).rejects.toMatchObject({
      code: 'access-keys-required',
    })
    const { port } = await start()
    const again = readConfiguration(['--port', String(port)], {})
    await expect(serve(again, pino({ level: 'silent' }))).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
  })
})

describe('the command', () => {
  const program = fileURLToPath(new URL('../../src/edge/bin.ts', import.meta.url))
  const run = (args: readonly string[], environment: Record<string, string> = {}): ChildProcess => {
    const child = spawn(process.execPath, ['--conditions=conclave:source', program, ...args], {
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    return child
  }
  const finished = async (child: ChildProcess) => {
    const [out, err, [code]] = await Promise.all([
      child.stdout === null ? '' : text(child.stdout),
      child.stderr === null ? '' : text(child.stderr),
      once(child, 'close'),
    ])
    return { out, err, code: code as number | null }
  }

  test('starts without any configuration, and stops cleanly when asked', async () => {
    const child = run([], { CONCLAVE_KEYSERVER_PORT: '0', CONCLAVE_KEYSERVER_DRAIN_MS: '0' })
    const ended = finished(child)
    child.stdout?.on('data', (line: Buffer) => {
      if (line.includes('is listening')) child.kill('SIGTERM')
    })
    expect(await ended).toMatchObject({ code: 0, err: '' })
  })

  test('stops at once when it is asked twice', async () => {
    const child = run([], { CONCLAVE_KEYSERVER_PORT: '0', CONCLAVE_KEYSERVER_DRAIN_MS: '600000' })
    const ended = finished(child)
    child.stdout?.on('data', (line: Buffer) => {
      if (line.includes('is listening') || line.includes('asked to stop')) child.kill('SIGTERM')
    })
    expect(await ended).toMatchObject({ code: 1, err: '' })
  })

  test('explains itself', async () => {
    const { out, code } = await finished(run(['--help']))
    expect(code).toBe(0)
    expect(out).toContain('CONCLAVE_KEYSERVER_PORT')
    expect(out).toContain('CONCLAVE_ACCESS_SECRET')
  })

  test.each<[string, string[], Record<string, string>]>([
    ['CONCLAVE_KEYSERVER_PORT', [], { CONCLAVE_KEYSERVER_PORT: 'x' }],
    ['CONCLAVE_ACCESS_SECRET', ['--host', '0.0.0.0', '--behind-tls-proxy'], {}],
    ['CONCLAVE_ACCESS_SECRET', [], { CONCLAVE_ACCESS_SECRET: 'too short' }],
  ])('names %s when that is what is wrong', async (name, args, environment) => {
    const { err, code } = await finished(run(args, environment))
    expect(code).toBe(1)
    expect(err).toContain(name)
  })
})
