import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { run } from '../entry/processes.mjs'
import { repository } from '../entry/repository.mjs'

const guard = join(repository, 'infra', 'entry', 'stopWithParent.mjs')
const processes = join(repository, 'infra', 'entry', 'processes.mjs')
const ceiling = { timeout: 20_000, interval: 50 }

// Says its process id, and which signals arrive; stops a little after the first.
const server = `
  console.log('started', process.pid)
  setInterval(() => {}, 1000)
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {
    console.log('got', signal)
    setTimeout(() => process.exit(0), 200)
  })`

const starter = (serverFile: string) => `
  import { run } from ${JSON.stringify(processes)}
  const args = ['--import', ${JSON.stringify(guard)}, ${JSON.stringify(serverFile)}]
  const ended = await run(process.execPath, args, { ownGroup: true })
  console.log('ended', JSON.stringify(ended))`

describe('a started server', () => {
  let folder = ''
  let script: ChildProcess
  let output = ''

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'conclave-processes-'))
    await writeFile(join(folder, 'server.mjs'), server)
    await writeFile(join(folder, 'starter.mjs'), starter(join(folder, 'server.mjs')))
    output = ''
    script = spawn(process.execPath, [join(folder, 'starter.mjs')], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    script.stdout?.on('data', (data: Buffer) => (output += data.toString()))
    script.stderr?.on('data', (data: Buffer) => (output += data.toString()))
    await vi.waitFor(() => expect(output).toMatch(/started \d+/), ceiling)
  })
  afterEach(async () => {
    script.kill('SIGKILL')
    await vi.waitFor(() => expect(isRunning(serverPid())).toBe(false), ceiling)
    await rm(folder, { recursive: true, force: true })
  })

  function serverPid(): number {
    return Number(/started (\d+)/.exec(output)?.[1])
  }

  it('gets one Ctrl-C however often it arrives, and is waited for', async () => {
    // The terminal sends it, and npm passes it on.
    script.kill('SIGINT')
    script.kill('SIGINT')
    await vi.waitFor(() => expect(output).toContain('ended'), ceiling)
    expect(output.match(/got SIGINT/g)).toHaveLength(1)
    expect(output).toContain('"code":0,"signal":null,"timedOut":false,"interrupted":"SIGINT"')
  })

  it('stops when the script that started it is killed', async () => {
    script.kill('SIGKILL')
    await vi.waitFor(() => expect(isRunning(serverPid())).toBe(false), ceiling)
  })
})

describe('a bounded command', () => {
  it('is killed at its limit together with what it has started', async () => {
    const lines: string[] = []
    const ended = await run('sh', ['-c', 'sleep 600 & echo $!; wait'], {
      ownGroup: true,
      timeoutMs: 500,
      onLine: (line) => lines.push(line),
    })
    expect(ended).toMatchObject({ code: null, signal: 'SIGKILL', timedOut: true })
    await vi.waitFor(() => expect(isRunning(Number(lines[0]))).toBe(false), ceiling)
  })

  it('that cannot be started is a typed error', async () => {
    await expect(run('no-such-command', [])).rejects.toMatchObject({ code: 'command-not-started' })
  })
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
