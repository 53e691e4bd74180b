import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { HmacAccessKey, mintToken } from '@conclave/core/access'
import { systemClock } from '@conclave/keyserver'
import { pino } from 'pino'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readConfiguration } from '../../src/edge/configuration.ts'
import { serve } from '../../src/edge/serve.ts'
import { TestClient } from '../support/testClient.ts'

const secret = 'a secret of at least thirty-two bytes'

async function start(environment: Record<string, string> = {}) {
  const configuration = readConfiguration(['--port', '0'], environment)
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

  test('refuses to serve a network without a secret, and to start twice on a port', async () => {
    await expect(start({ CONCLAVE_KEYSERVER_HOST: '0.0.0.0' })).rejects.toMatchObject({
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
    const child = run([], { CONCLAVE_KEYSERVER_PORT: '0' })
    const ended = finished(child)
    child.stdout?.on('data', (line: Buffer) => {
      if (line.includes('is listening')) child.kill('SIGTERM')
    })
    expect(await ended).toMatchObject({ code: 0, err: '' })
  })

  test('explains itself', async () => {
    const { out, code } = await finished(run(['--help']))
    expect(code).toBe(0)
    expect(out).toContain('CONCLAVE_KEYSERVER_PORT')
    expect(out).toContain('CONCLAVE_ACCESS_SECRET')
  })

  test.each<[string, string[], Record<string, string>]>([
    ['CONCLAVE_KEYSERVER_PORT', [], { CONCLAVE_KEYSERVER_PORT: 'x' }],
    ['CONCLAVE_ACCESS_SECRET', ['--host', '0.0.0.0'], {}],
    ['CONCLAVE_ACCESS_SECRET', [], { CONCLAVE_ACCESS_SECRET: 'too short' }],
  ])('names %s when that is what is wrong', async (name, args, environment) => {
    const { err, code } = await finished(run(args, environment))
    expect(code).toBe(1)
    expect(err).toContain(name)
  })
})
