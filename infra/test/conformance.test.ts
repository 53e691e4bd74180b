import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { redisMissing } from '../../keyserver/test/support/redisServer.ts'
import { chosen, readArguments } from '../conformance/arguments.ts'
import { line } from '../conformance/report.ts'
import { checks, runSuite } from '../conformance/suite.ts'
import { tokensFor } from '../conformance/tokens.ts'
import { repository } from '../entry/repository.mjs'
import { accessSecret, keyserver, redisKeyservers, targetAt } from './conformance/keyservers.ts'
import { relay } from './conformance/relay.ts'

describe('a good keyserver', () => {
  /** Ceilings for a loaded machine. */
  const patienceMs = 15_000
  const timeout = 180_000

  test('passes every check', { timeout }, async () => {
    const { url } = await keyserver()
    const results = await runSuite(targetAt([url], patienceMs), checks)
    expect(results.filter(({ outcome }) => outcome !== 'passed').map(line)).toEqual([])
  })

  test.skipIf(redisMissing)(
    'passes every check when two instances over one Redis share its clients',
    { timeout },
    async () => {
      const urls = (await redisKeyservers(2)).map(({ url }) => url)
      const target = { ...targetAt(urls, patienceMs), durable: true }
      const results = await runSuite(target, checks)
      expect(results.filter(({ outcome }) => outcome !== 'passed').map(line)).toEqual([])
    },
  )

  test('passes every check through a relay that changes nothing', { timeout }, async () => {
    const { url } = await keyserver()
    const results = await runSuite(targetAt([await relay(url)], patienceMs), checks)
    expect(results.filter(({ outcome }) => outcome !== 'passed').map(line)).toEqual([])
  })
})

test('every check names the section of PROTOCOL.md that makes its promise', () => {
  const headings = readFileSync(join(repository, 'keyserver', 'PROTOCOL.md'), 'utf8').split('\n')
  for (const { id, section } of checks) expect(headings, id).toContain(`## ${section}`)
})

describe('the command line', () => {
  const url = ['--url', 'https://keys.example']

  test('says which instances, tokens and checks', () => {
    const options = ['--token-secret-env', 'SECRET', '--durable', 'yes', '--only', 'enter,Order']
    const args = ['--url', 'https://one.example,https://two.example', ...options]
    expect(readArguments(args, { SECRET: 'abc' })).toMatchObject({
      urls: ['https://one.example', 'https://two.example'],
      access: { kind: 'secret', secret: 'abc' },
      durable: true,
      only: ['enter', 'Order'],
    })
    expect(readArguments(['--help'], {})).toBeUndefined()
  })

  test.each([
    [['--url', 'http://keys.example'], 'insecure-url'],
    [[...url, '--grace-ms', 'soon'], 'conformance-arguments-wrong'],
    [[...url, '--durable', 'perhaps'], 'conformance-arguments-wrong'],
    [[...url, '--token', 'a', '--token-secret-env', 'SECRET'], 'conformance-arguments-wrong'],
    [[...url, '--token-secret-env', 'UNSET'], 'conformance-arguments-wrong'],
    [[...url, '--shoe-size', '42'], 'conformance-arguments-wrong'],
  ])('refuses %j', (args, code) => {
    const reading = () => readArguments(args, { SECRET: 'abc' })
    expect(reading).toThrow(expect.objectContaining({ code }))
  })

  test('chooses checks by name or section, and there has to be one', () => {
    const ids = (only: readonly string[]) => chosen(checks, only).map(({ id }) => id)
    expect(ids(['commit.race', 'has lost'])).toEqual(['commit.race', 'giveBack.checked'])
    expect(ids([])).toHaveLength(checks.length)
    expect(new Set(ids([])).size).toBe(checks.length)
    expect(() => ids(['shoes'])).toThrow(
      expect.objectContaining({ code: 'conformance-arguments-wrong' }),
    )
  })

  test('a keyserver that gives no tokens is not judged', async () => {
    const token = tokensFor({ urls: ['http://127.0.0.1:9'], access: { kind: 'development' } })
    await expect(token({ identity: 'a', meeting: '*' })).rejects.toMatchObject({
      code: 'conformance-token-refused',
    })
  })
})

describe('npm run conformance', () => {
  /** `npm run conformance -- …` */
  const conformance = async (...args: readonly string[]) => {
    const script = join(repository, 'infra', 'conformance', 'conformance.mjs')
    const { NODE_OPTIONS: _, ...inherited } = process.env
    const env = { ...inherited, KEYSERVER_SECRET: accessSecret }
    const child = spawn(process.execPath, [script, ...args], { env })
    const [stdout, stderr, [status]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ])
    return { status, stdout, stderr }
  }
  const secret = ['--token-secret-env', 'KEYSERVER_SECRET']

  test('says what it can do, and what is wrong with what it is told', async () => {
    const [help, wrong] = await Promise.all([conformance('--help'), conformance()])
    expect([help.status, help.stdout]).toEqual([0, expect.stringContaining('--token-secret-env')])
    const message = expect.stringContaining(
      'conformance-arguments-wrong: --url names the keyserver',
    )
    expect([wrong.status, wrong.stdout, wrong.stderr]).toEqual([2, '', message])
  })

  test('runs against a URL, and names each check that fails, what was expected and what was seen', async () => {
    const { url } = await keyserver()
    const faulty = await relay(url, {
      answer: async ({ name }, forward) => {
        const reply = await forward()
        return name === 'enter' ? { ...reply, nonce: new Uint8Array(16) } : reply
      },
    })
    const args = ['--only', 'enter.nonce,enter.first,commit.durable', ...secret]
    const good = await conformance('--url', url, ...args)
    expect([good.status, good.stdout]).toEqual([0, '2 passed, 0 failed, 1 skipped\n'])

    const { status, stdout, stderr } = await conformance('--url', faulty, '--json', ...args)
    const lines = stdout.trim().split('\n')
    expect([status, lines.map((object) => JSON.parse(object))]).toEqual([
      1,
      [
        expect.objectContaining({ id: 'enter.first', outcome: 'passed', section: 'Requests' }),
        expect.objectContaining({
          id: 'enter.nonce',
          promise: 'every connection gets a nonce of its own',
          outcome: 'failed',
          expected: 'different nonces: 4',
          seen: '1',
        }),
        expect.objectContaining({ id: 'commit.durable', outcome: 'skipped', needs: 'durable' }),
        { conformance: false, failed: ['enter.nonce'] },
      ],
    ])
    expect(stderr).toContain('✗ enter.nonce: every connection gets a nonce of its own (Requests)')
  })
})
