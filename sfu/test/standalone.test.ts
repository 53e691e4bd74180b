import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test } from 'vitest'

const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
const secret = 'a secret of more than thirty-two bytes'

/** Runs the command from its source, as its build would run. */
function conclaveSfu(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--conditions=conclave:source', bin, ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let output = ''
  let errors = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk
  })
  const closed = once(child, 'close').then(([code]) => code as number | null)
  return { child, closed, output: () => output, errors: () => errors }
}

const listeningPort = (output: string) => /"port":(\d+)/.exec(output)?.[1]

describe('the command conclave-sfu', () => {
  test('serves rooms, says that it is healthy, and stops when asked to', async () => {
    const sfu = conclaveSfu(['--port', '0', '--workers', '1'])
    await expect.poll(() => listeningPort(sfu.output()), { timeout: 30_000 }).toBeDefined()
    const response = await fetch(`http://127.0.0.1:${listeningPort(sfu.output())}/healthz`)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ status: 'ok', workers: 1, rooms: 0, relays: 0 })
    sfu.child.kill('SIGTERM')
    expect(await sfu.closed).toBe(0)
    expect(sfu.errors()).toBe('')
  })

  test('refuses to serve a network without an access secret', async () => {
    const sfu = conclaveSfu(['--port', '0', '--workers', '1', '--host', '0.0.0.0'])
    expect(await sfu.closed).toBe(1)
    expect(JSON.parse(sfu.errors())).toMatchObject({
      code: 'access-keys-required',
      remedy: expect.stringContaining('secret') as string,
    })
  })

  test('with a secret serves a network, and never prints the secret', async () => {
    const sfu = conclaveSfu(['--port', '0', '--workers', '1', '--log-level', 'debug'], {
      CONCLAVE_ACCESS_SECRET: secret,
      SFU_HOST: '0.0.0.0',
    })
    await expect.poll(() => listeningPort(sfu.output()), { timeout: 30_000 }).toBeDefined()
    sfu.child.kill('SIGINT')
    expect(await sfu.closed).toBe(0)
    expect(sfu.output() + sfu.errors()).not.toContain(secret)
  })

  test('explains itself', async () => {
    const sfu = conclaveSfu(['--help'])
    expect(await sfu.closed).toBe(0)
    expect(sfu.output()).toContain('--keyserver <url>')
    expect(sfu.output()).toContain('CONCLAVE_ACCESS_SECRET')
  })

  test.each([
    [['--port', 'many'], {}, 'port'],
    [['--port', '70000'], {}, 'port'],
    [['--workers', '0'], {}, 'workers'],
    [['--media-ip', 'here'], {}, 'mediaIp'],
    [['--media-ports', '5-4'], {}, 'mediaPorts'],
    [['--keyserver', 'keys.example'], {}, 'keyserver'],
    [['--path', '/socket'], {}, 'path'],
    [['--log-level', 'loud'], {}, 'logLevel'],
    [[], { SFU_PORT: '-1' }, 'port'],
    [['--speed', '9'], {}, '--speed'],
    [['surplus'], {}, 'argument'],
  ])('with %j %j names what is wrong', async (args, env, named) => {
    const sfu = conclaveSfu(args, env)
    expect(await sfu.closed).toBe(1)
    const { code, message } = JSON.parse(sfu.errors())
    expect(code).toBe('config-invalid')
    expect(message).toContain(named)
  })

  test('refuses to listen for media on every address without announcing one', async () => {
    const sfu = conclaveSfu(['--port', '0', '--workers', '1', '--media-ip', '0.0.0.0'])
    expect(await sfu.closed).toBe(1)
    expect(JSON.parse(sfu.errors())).toMatchObject({ code: 'announced-address-required' })
  })

  test('names a worker that cannot be started', async () => {
    const sfu = conclaveSfu(['--port', '0', '--workers', '1'], {
      MEDIASOUP_WORKER_BIN: '/nowhere/mediasoup-worker',
    })
    expect(await sfu.closed).toBe(1)
    expect(JSON.parse(sfu.errors())).toMatchObject({ code: 'worker-failed' })
  })
})
