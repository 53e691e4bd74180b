import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { redisMissing } from '../../../keyserver/test/support/redisServer.ts'
import { repository } from '../../entry/repository.mjs'

const short = ['--storm', '1', '--churn', '2', '--leaves', '2']

/** Like a shell would: without what Vitest tells Node. */
function node(...args: readonly string[]) {
  const { NODE_OPTIONS: _, ...env } = process.env
  return spawnSync(process.execPath, args, { encoding: 'utf8', env, timeout: 55_000 })
}

function load(...args: readonly string[]) {
  return node(join(repository, 'infra', 'load', 'load.mjs'), ...args)
}

interface Line {
  readonly op: string
  readonly n: number
  readonly case: string
  readonly unit: string
  readonly value: number
  readonly floor?: number
}

describe('npm run load -- meeting', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'conclave-load-'))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('runs a meeting of six to its end and prints one JSON object a line', () => {
    const svg = join(folder, 'load.svg')
    const args = ['meeting', '--participants', '6', '--json', '--svg', svg, ...short]
    const { status, stdout, stderr } = load(...args)
    expect([status, stderr.split('\n').filter((line) => line.startsWith('✗'))]).toEqual([0, []])
    const [head, ...parsed] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(head).toMatchObject({
      bench: 'load',
      store: 'memory',
      machine: { cores: expect.any(Number) },
    })
    const lines = parsed as readonly Line[]
    for (const line of lines) {
      expect(line).toMatchObject({ bench: 'load', n: 6, value: expect.any(Number) })
      expect(line.value, `${line.case} ${line.op}`).toBeGreaterThanOrEqual(0)
    }
    const opsOf = (phase: string) => lines.filter((line) => line.case === phase).map(({ op }) => op)
    for (const phase of ['storm', 'churn', 'leaves', 'mass']) {
      expect(opsOf(phase)).toEqual(
        expect.arrayContaining([
          'commits',
          'cpu.clients',
          'cpu.keyserver',
          'cpu.verification',
          'cpu.rotation',
          'received.rotation',
          'sent.rotation',
          'turn.waiting.max',
        ]),
      )
    }
    expect(opsOf('storm')).toEqual(
      expect.arrayContaining(['took', 'join.p50', 'join.p95', 'join.max', 'memory.client']),
    )
    for (const phase of ['churn', 'leaves', 'mass']) {
      expect(opsOf(phase)).toEqual(expect.arrayContaining(['leave.p50', 'leave.p95', 'leave.max']))
    }
    expect(opsOf('leaves')).toContain('leave.apart')
    const one = (phase: string, op: string) =>
      lines.find((line) => line.case === phase && line.op === op)
    expect(one('churn', 'proposals')?.value).toBe(2)
    expect(one('leaves', 'commits')?.value).toBe(2)
    expect(one('leaves', 'leave.max')?.floor).toBeGreaterThan(0)
    expect(readFileSync(svg, 'utf8')).toContain('<polyline')
  })

  it.skipIf(redisMissing)('runs with a keyserver on Redis and prints tables', () => {
    const args = ['meeting', '--participants', '4', '--redis', '--files', '--markdown', ...short]
    const { status, stdout } = load(...args)
    expect(status).toBe(0)
    expect(stdout).toContain('on Redis, appendfsync always')
    expect(stdout).toMatch(/^\| leave\.max \| ms \| [\d.]+ \|$/m)
  })

  it('explains itself, and what it does not understand', () => {
    expect(load('--help')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('--participants'),
    })
    expect(load('party')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('bench-arguments-wrong'),
    })
  })
})

describe('a run of the load harness', () => {
  const flags = ['--expose-gc', '--conditions=conclave:source', '--experimental-strip-types']
  const planted = join(repository, 'infra', 'test', 'load', 'plantedRun.ts')

  it('fails, and does not hang, where a client never installs an epoch', () => {
    const { stdout } = node(...flags, planted, 'deaf', '3000')
    expect(JSON.parse(stdout)).toEqual({
      code: 'bench-members-stalled',
      message: expect.stringContaining('member 2'),
    })
  })

  it('fails where a client has another media key than the others', () => {
    const { stdout } = node(...flags, planted, 'astray', '40000')
    expect(JSON.parse(stdout)).toEqual({
      code: 'bench-members-disagree',
      message: expect.stringContaining('member 2'),
    })
  })
})
