import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { repository } from '../entry/repository.mjs'
import { readArguments, usage } from '../long/arguments.mjs'
import { runCampaign, testsOf } from '../long/campaign.mjs'
import { campaigns } from '../long/campaigns/index.mjs'
import { provenance, record } from '../long/evidence.mjs'
import { minutesAtMost, runInLanes } from '../long/lanes.mjs'

const prepared = { node: process.execPath, env: process.env }

describe('the campaigns of npm run test:long', () => {
  it('have names of their own, tests that exist and less than eighty minutes together', () => {
    const names = campaigns.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const file of campaigns.flatMap(({ files }) => files)) {
      expect(existsSync(join(repository, file)), file).toBe(true)
    }
    expect(minutesAtMost(campaigns)).toBeLessThan(80)
    for (const name of names) expect(usage(campaigns)).toContain(`  ${name}: `)
  })

  it('all run unless some are named, from a seed of their own unless one is given', () => {
    expect(readArguments([], campaigns)).toMatchObject({ chosen: campaigns, json: false })
    expect(readArguments(['--only', 'decoders', '--seed', '7', '--json'], campaigns)).toEqual({
      chosen: campaigns.filter(({ name }) => name === 'decoders'),
      seed: 7,
      json: true,
    })
    const seeds = [0, 1, 2].map(() => readArguments([], campaigns)?.seed)
    expect(new Set(seeds).size).toBe(3)
    expect(readArguments(['--help'], campaigns)).toBeUndefined()
  })

  it.each([
    ['a campaign that there is not', ['--only', 'decoders,planted']],
    ['no campaign', ['--only', '']],
    ['a seed that is no integer', ['--seed', 'x']],
    ['a seed beyond 31 bits', ['--seed', '2147483648']],
    ['an unknown option', ['--runs', '5']],
    ['a stray word', ['decoders']],
  ])('refuse %s', (_what, args) => {
    expect(() => readArguments(args, campaigns)).toThrow(
      expect.objectContaining({ code: 'arguments-wrong' }),
    )
  })
})

describe('campaigns that take one core', () => {
  const named = (name: string, limitMinutes: number, alone = false) => ({
    name,
    shows: '',
    files: [],
    runs: 1,
    limitMinutes,
    alone,
  })
  const all = [named('a', 8), named('b', 1, true), named('c', 2), named('d', 2), named('e', 4)]

  it('run two at a time, and before those that need the machine', async () => {
    const running = new Set<string>()
    const seen: string[] = []
    await runInLanes(all, async ({ name, limitMinutes }) => {
      running.add(name)
      seen.push([...running].join(''))
      for (let minute = 0; minute < limitMinutes; minute++) await Promise.resolve()
      running.delete(name)
    })
    expect(seen).toEqual(['a', 'ac', 'ad', 'ae', 'b'])
  })

  it('take as long together as the longer lane', () => {
    expect(minutesAtMost(all)).toBe(8 + 1)
    expect(minutesAtMost([])).toBe(0)
  })
})

describe('a campaign', () => {
  const campaign = {
    name: 'planted',
    shows: 'that it runs',
    files: ['core/test/wire/roundTrip.property.test.ts'],
    runs: 20,
    limitMinutes: 2,
    alone: false,
  }

  it('repeats tests as often as it says from its seed, and has what they saw', async () => {
    const result = await runCampaign(prepared, campaign, 5, () => {})
    expect(result).toMatchObject({ outcome: 'passed', seed: 5, runs: 20, counts: { failed: 0 } })
    const commit = result.tests.find(({ test }) => test.includes(' Commit is the same'))
    expect(commit).toMatchObject({ outcome: 'passed', figures: { runs: 20 } })
  })

  it('has failed where there is nothing to run', async () => {
    const lines: string[] = []
    const nothing = { ...campaign, files: ['core/test/planted.test.ts'] }
    const result = await runCampaign(prepared, nothing, 5, (line) => lines.push(line))
    expect(result).toMatchObject({ outcome: 'failed', tests: [] })
    expect(lines.join('\n')).toContain('No test files found')
  })

  it('has failed when its time is up', async () => {
    const long = { ...campaign, runs: 1_000_000, limitMinutes: 1 / 60 }
    expect(await runCampaign(prepared, long, 5, () => {})).toMatchObject({ outcome: 'timed-out' })
  })

  it('keeps failed and skipped tests too, with or without figures', () => {
    const assertion = { fullName: 'a test', duration: 1234, meta: { figures: { runs: 3 } } }
    const report = JSON.stringify({
      testResults: [
        {
          assertionResults: [
            { ...assertion, status: 'failed' },
            { ...assertion, status: 'pending', duration: undefined, meta: {} },
          ],
        },
      ],
    })
    expect(testsOf(report)).toEqual([
      { test: 'a test', outcome: 'failed', seconds: 1.2, figures: { runs: 3 } },
      { test: 'a test', outcome: 'skipped', seconds: 0 },
    ])
  })
})

describe('the evidence', () => {
  let folder = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'conclave-evidence-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  const result = {
    outcome: 'passed' as const,
    seed: 1,
    runs: 2,
    seconds: 3,
    counts: { passed: 1, failed: 0, skipped: 0 },
    tests: [],
  }

  it('says what it was got from', async () => {
    const source = await provenance(process.execPath)
    expect(source.commit).toMatch(/^[0-9a-f]{40}$/)
    expect(source.versions).toMatchObject({ node: process.version, vitest: expect.anything() })
    expect(source.machine.cores).toBeGreaterThan(0)
  })

  it('has each campaign once, and of those that did not run the last result', async () => {
    const path = join(folder, 'evidence.json')
    const source = await provenance(process.execPath)
    const entry = (shows: string) => ({ shows, ...source, ...result })
    await record(path, 'second', entry('old'))
    await record(path, 'first', entry('kept'))
    const evidence = await record(path, 'second', entry('new'))
    expect(Object.entries(evidence.campaigns).map(([name, { shows }]) => [name, shows])).toEqual([
      ['first', 'kept'],
      ['second', 'new'],
    ])
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual(evidence)
  })
})
