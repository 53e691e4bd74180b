import { describe, expect, it } from 'vitest'
import { redisMissing } from '../../keyserver/test/support/redisServer.ts'
import { parts, readKeyserverArguments } from '../bench/keyserver/arguments.ts'
import { checksOf } from '../bench/keyserver/checks.ts'
import { keyserverMarkdown, keyserverTable } from '../bench/keyserver/keyserverReport.ts'
import { percentile, rowOf } from '../bench/keyserver/samples.ts'
import * as primitives from '../bench/primitives.ts'
import { bench } from './bench.ts'

const small = ['--members', '5', '--meetings', '1,2', '--entries', '3', '--rounds', '1']
const stores = redisMissing ? (['memory'] as const) : (['memory', 'redis'] as const)

describe('npm run bench -- keyserver', () => {
  it.each(stores)('prints one JSON object a line, each beside the floor, with %s', (store) => {
    const options = store === 'redis' ? ['--redis'] : []
    const { status, stdout, stderr } = bench(['keyserver', '--json', ...options, ...small])
    expect([status, stderr.split('\n').filter((line) => line.startsWith('✗'))]).toEqual([0, []])
    const [head, ...lines] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(head).toMatchObject({
      bench: 'keyserver',
      store,
      machine: { cores: expect.any(Number), cpu: expect.any(String) },
      versions: { node: expect.any(String), conclave: expect.any(String) },
      commit: expect.any(String),
    })
    for (const line of lines) {
      expect(line).toMatchObject({
        bench: 'keyserver',
        store,
        value: expect.any(Number),
        floor: expect.any(Number),
        best: { value: expect.any(Number), floor: expect.any(Number) },
      })
    }
    const accepts = lines.filter(({ op }) => op === 'commit.accept')
    expect(accepts.map(({ n, case: kind, unit }) => [n, kind, unit])).toEqual([
      [1, 'update', 'ms'],
      [2, 'update', 'ms'],
      [1, 'add', 'ms'],
      [2, 'add', 'ms'],
    ])
    const ops = new Set(lines.map(({ op }) => op))
    expect([...ops].filter((op) => !op.startsWith('commit.accept'))).toEqual([
      'resume.3',
      'fanout.p50',
      'fanout.p95',
      'fanout.p99',
      'reconnect.5',
    ])
  })

  it('explains itself', () => {
    const { status, stdout } = bench(['keyserver', '--help'])
    expect(status).toBe(0)
    for (const part of parts) expect(stdout).toContain(part)
  })

  it.each([
    [['--members', '1']],
    [['--meetings', '0']],
    [['--entries', 'x']],
    [['--only', 'leave']],
    [['--rounds', '0']],
    [['--json', '--markdown']],
    [['--fast']],
    [['more']],
  ])('refuses the arguments %j', (args) => {
    expect(() => readKeyserverArguments(args)).toThrowError(
      expect.objectContaining({ code: 'bench-arguments-wrong' }),
    )
  })
})

describe("the floor's signatures", () => {
  it.each([
    ['update', 3, []],
    ['add', 3, [2, 1]],
  ] as const)('of a commit that is an %s are good, and as long as its own', (kind, own, others) => {
    const { memberKey, byMember, byStrangers } = checksOf(kind, 1000, 200)
    expect(byMember).toHaveLength(own)
    for (const { message, signature } of byMember) {
      expect(primitives.verify(memberKey, message, signature)).toBe(true)
      expect(primitives.verify(memberKey, message.toReversed(), signature)).toBe(false)
    }
    expect(byMember.map(({ message }) => message.length)).toEqual([1000, expect.any(Number), 200])
    expect(byStrangers.map((signed) => signed.length)).toEqual(others)
    expect(primitives.verifyAll(byStrangers)).toBe(true)
  })
})

describe("the keyserver's report", () => {
  it('shows medians and the best beside the floor', () => {
    const row = rowOf(
      { op: 'commit.accept', n: 10, case: 'update', unit: 'ms' },
      { ours: [4, 2, 6], bare: [2, 1, 9] },
    )
    expect(row).toMatchObject({ value: 4, floor: 2, best: { value: 2, floor: 1 } })
    const rate = rowOf({ ...row, unit: '1/s' }, { ours: [4, 2, 6], bare: [2, 1, 9] })
    expect(rate.best).toEqual({ value: 6, floor: 9 })
    const run = {
      machine: { platform: 'linux-x64', cpu: 'a CPU', cores: 2, memoryGib: 4 },
      provider: 'node:crypto',
      versions: { node: '24.0.0' },
      commit: 'abc',
    }
    const measured = { store: 'redis', rows: [row] } as const
    expect(keyserverTable(run, measured)).toContain('appendfsync always')
    expect(keyserverMarkdown(run, measured)).toContain(
      '| commit.accept | 10 | update | ms | 4.00 | 2.00 | 2.00 | 1.00 | 2.00 | 2.00 |',
    )
  })

  it('takes a percentile for what so many do not exceed', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => 100 - i)
    expect([50, 95, 99, 100].map((percent) => percentile(hundred, percent))).toEqual([
      50, 95, 99, 100,
    ])
    expect(percentile([7], 50)).toBe(7)
  })
})
