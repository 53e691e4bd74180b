import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { MeetingServer, MeetingServerOptions } from '../src/meetingServer.ts'
import { runMeetingServer } from './support/runMeetingServer.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'conclave-page-'))
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>A page</title>')
})

afterAll(() => rm(folder, { recursive: true, force: true }))

async function run(options: Partial<MeetingServerOptions> = {}): Promise<MeetingServer> {
  const server = await runMeetingServer(folder, options)
  onTestFinished(() => server.close())
  return server
}

describe('the meeting server', () => {
  it('serves the page under a policy that runs nothing but its own scripts', async () => {
    const { url } = await run()
    const response = await fetch(url)
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('A page')
    const policy = response.headers.get('content-security-policy')?.split('; ')
    expect(policy).toContain("default-src 'none'")
    expect(policy).toContain("script-src 'self'")
    expect(policy).toContain("worker-src 'self'")
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  })

  it('answers what it does not have, and methods it does not know, and goes on', async () => {
    const { url } = await run()
    expect((await fetch(`${url}none`)).status).toBe(404)
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(405)
    expect((await fetch(url, { headers: { range: 'bytes=5-2' } })).status).toBe(200)
    expect((await fetch(url)).status).toBe(200)
  })

  it('is healthy with keyserver and SFU', async () => {
    const { url } = await run()
    const response = await fetch(`${url}healthz`)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      status: 'ok',
      keyserver: { status: 'ok', meetings: 0 },
      sfu: { status: 'ok', workers: 1 },
    })
  })

  it('mints tokens while no secret is configured, and only then', async () => {
    const request = { method: 'POST', body: '{"identity":"alice","meeting":"standup"}' }
    const { url } = await run()
    const minted = await fetch(`${url}dev/token`, request)
    expect(await minted.json()).toEqual({ token: expect.any(String) })
    const configured = await run({ accessSecret: 'x'.repeat(32) })
    expect((await fetch(`${configured.url}dev/token`, request)).status).toBe(405)
  })

  it('does not start on a port that is in use, and says what to do', async () => {
    const { port } = await run()
    await expect(runMeetingServer(folder, { port })).rejects.toMatchObject({
      code: 'port-in-use',
      message: expect.stringContaining(String(port)),
      remedy: expect.stringContaining('--port'),
    })
  })

  it('does not start beyond this machine without a secret', async () => {
    await expect(runMeetingServer(folder, { host: '0.0.0.0' })).rejects.toMatchObject({
      code: 'access-keys-required',
    })
  })

  it('does not start on every address without one that browsers can send media to', async () => {
    const options = { host: '0.0.0.0', accessSecret: 'x'.repeat(32) }
    await expect(runMeetingServer(folder, options)).rejects.toMatchObject({
      code: 'configuration-invalid',
      message: expect.stringContaining('--media-address'),
    })
    const { port } = await run({ ...options, mediaAddress: '127.0.0.1' })
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)
  })

  it('does not start without a page', async () => {
    const nowhere = join(folder, 'nowhere')
    await expect(runMeetingServer(nowhere)).rejects.toMatchObject({ code: 'page-missing' })
  })

  it('lets its port go when it is closed, whoever is connected', async () => {
    const server = await runMeetingServer(folder)
    const idle = connect(server.port, '127.0.0.1')
    await once(idle, 'connect')
    const hungUp = once(idle, 'close')
    await server.close()
    await hungUp
    await run({ port: server.port })
  })
})

describe('the command', () => {
  const script = fileURLToPath(new URL('../src/server.ts', import.meta.url))

  function start(...args: string[]) {
    const child = spawn(process.execPath, ['--conditions=conclave:source', script, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    return child
  }

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'prints where the page is, and ends with exit code 0 on %s',
    async (signal) => {
      const child = start('--port', '0')
      const [line] = await once(child.stdout.setEncoding('utf8'), 'data')
      const [url = ''] = /http:\S+/.exec(String(line)) ?? []
      expect((await fetch(`${url}healthz`)).status).toBe(200)
      child.kill(signal)
      expect(await once(child, 'exit')).toEqual([0, null])
    },
  )

  it('says as JSON what it was told to say as JSON', async () => {
    const child = start('--port', '0', '--json')
    const [line] = await once(child.stdout.setEncoding('utf8'), 'data')
    const { event, url, port } = JSON.parse(String(line))
    expect({ event, url }).toEqual({ event: 'listening', url: `http://127.0.0.1:${port}/` })
    child.kill('SIGTERM')
    await once(child, 'exit')
  })

  it('fails with exit code 1, the code and a remedy', async () => {
    const child = start('--port', 'x')
    const [said] = await once(child.stderr.setEncoding('utf8'), 'data')
    expect(await once(child, 'exit')).toEqual([1, null])
    expect(said).toContain('configuration-invalid')
    expect(said).toContain('--help')
  })
})
