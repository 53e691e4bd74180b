import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { type Compose, readDeployment } from '../checks/compose.mjs'
import { findProgram, redisServer } from '../entry/programs.mjs'
import { repository } from '../entry/repository.mjs'
import { imageBuilder } from './containerImage.ts'

const values: Readonly<Record<string, string>> = {
  CONCLAVE_ACCESS_SECRET: 'an access secret of 32 bytes or more',
  REDIS_PASSWORD: 'c0ffee',
  SFU_ANNOUNCED_ADDRESS: '127.0.0.1',
  SFU_MEDIA_PORTS: '40000-49999',
  SFU_WORKERS: '1',
}
const { services }: Compose = parse(
  readDeployment(repository).compose,
  (_, value: unknown) =>
    typeof value === 'string'
      ? value.replace(/\$\{([A-Z_]+)[^}]*\}/g, (_, name) => values[name] ?? '')
      : value,
  { merge: true },
)
const { PATH = '', HOME = '' } = process.env
const healthcheck = join(repository, 'infra', 'containers', 'healthcheck.mjs')

interface Program {
  readonly process: ChildProcess
  readonly output: () => string
}

// A build and the files of three images, on a loaded machine: a ceiling, not an expectation.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

const folder = mkdtempSync(join(tmpdir(), 'conclave-containers-'))
const buildImage = imageBuilder(folder)
const programs: Program[] = []
const servers: Server[] = []

afterEach(async () => {
  for (const program of programs.splice(0)) await stop(program, 'SIGKILL')
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the health check', () => {
  it.each<[string, number, RequestListener]>([
    ['an answer', 0, (_, response) => response.end('ok')],
    ['an error', 1, (_, response) => response.writeHead(503).end()],
    ['a redirection', 1, (_, response) => response.writeHead(302, { location: '/' }).end()],
    ['no answer', 1, () => {}],
  ])('makes of %s status %i', async (_, status, listener) => {
    const port = await listen(listener)
    const checked = spawn(process.execPath, [healthcheck, `http://127.0.0.1:${port}/`])
    expect(await once(checked, 'exit')).toEqual([status, null])
  })

  it('names what it could not reach', async () => {
    const url = `http://127.0.0.1:${await freePort()}/`
    const { status, stderr } = check([process.execPath, healthcheck, url])
    expect(status).toBe(1)
    expect(stderr).toContain(`${url}: Error: connect ECONNREFUSED`)
  })
})

describe('an image, built and started as its Dockerfile and the compose file say', () => {
  it('of redis lets in who has the password, and is healthy then', async () => {
    const redis = await startRedis()
    expect(redis.check({}).status).toBe(1)
    expect(redis.check(services['redis']?.environment).status).toBe(0)
    await stop(redis.program, 'SIGTERM')
    expect(redis.check(services['redis']?.environment).status).toBe(1)
  })

  it.each(['keyserver-1', 'sfu', 'page'])(
    'of %s is healthy, and ends when asked to',
    async (name) => {
      const service = services[name]
      const image = buildImage(service?.build?.dockerfile ?? '')
      const redis =
        service?.environment?.['REDIS_URL'] === undefined ? undefined : await startRedis()
      const port = await freePort()
      const program = start([...image.command, '--port', port], image.folder, {
        ...image.environment,
        ...service?.environment,
        ...(redis === undefined ? {} : { REDIS_URL: `redis://:c0ffee@127.0.0.1:${redis.port}` }),
        CONCLAVE_KEYSERVER_DRAIN_MS: '0',
      })
      const healthy = image.healthcheck.map((word) => word.replace(/(?<=127\.0\.0\.1:)\d+/, port))
      await untilHealthy(program, () => check(healthy, {}, image.folder))
      if (name === 'page') {
        const { headers } = await fetch(`http://127.0.0.1:${port}/`)
        expect(headers.get('content-security-policy')).toContain("worker-src 'self'")
      }
      expect(await stop(program, 'SIGTERM')).toEqual([0, null])
      expect(check(healthy, {}, image.folder).status).toBe(1)

      // Nothing else of this checkout is within its reach.
      rmSync(join(image.folder, 'core', 'dist'), { recursive: true })
      const broken = start([...image.command, '--port', port], image.folder, {})
      await expect(untilHealthy(broken, () => check(healthy, {}, image.folder))).rejects.toThrow(
        'ERR_MODULE_NOT_FOUND',
      )
    },
  )
})

async function startRedis() {
  const { command = [], healthcheck: probe } = services['redis'] ?? {}
  const server = findProgram(redisServer) ?? ''
  const port = await freePort()
  const program = start([server, ...command.slice(1), '--port', port, '--dir', folder], folder, {})
  const [, client = '', ...words] = probe?.test ?? []
  const checkWith = (environment: NodeJS.ProcessEnv = {}) =>
    check([join(dirname(server), client), '-p', port, ...words], environment)
  await untilHealthy(program, () => checkWith(services['redis']?.environment))
  return { program, port, check: checkWith }
}

function start(command: readonly string[], cwd: string, environment: NodeJS.ProcessEnv): Program {
  const [file = '', ...args] = command
  const child = spawn(file === 'node' ? process.execPath : file, args, {
    cwd,
    env: { PATH, HOME, ...environment },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text
    })
  }
  const program = { process: child, output: () => output }
  programs.push(program)
  return program
}

function check(command: readonly string[], environment: NodeJS.ProcessEnv = {}, cwd = folder) {
  const [file = '', ...args] = command
  const env = { PATH, HOME, ...environment }
  return spawnSync(file === 'node' ? process.execPath : file, args, { cwd, env, encoding: 'utf8' })
}

async function untilHealthy(program: Program, probe: () => { status: number | null }) {
  while (probe().status !== 0) {
    // Lets the exit of the program be seen.
    await new Promise((resolve) => setImmediate(resolve))
    expect(program.process.exitCode, program.output()).toBe(null)
  }
}

async function stop({ process: child }: Program, signal: NodeJS.Signals): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null)
    return [child.exitCode, child.signalCode]
  const ended = once(child, 'exit')
  child.kill(signal)
  return ended
}

async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** One that was free just now. */
async function freePort(): Promise<string> {
  const port = await listen(() => {})
  const server = servers.pop()
  await new Promise((resolve) => server?.close(resolve))
  return String(port)
}
