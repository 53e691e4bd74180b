import { createTokenVerifier, HmacAccessKey } from '@conclave/core/access'
import { systemClock } from '@conclave/keyserver'
import { describe, expect, test } from 'vitest'
import type { Configuration } from '../../src/edge/configuration.ts'
import { runProgram } from '../../src/edge/program.ts'
import { secretVariables, settingsByName } from '../../src/edge/settings.ts'

const secret = 'a secret of at least thirty-two bytes'

async function run(args: readonly string[], environment: Record<string, string> = {}) {
  const out: string[] = []
  const err: string[] = []
  const served: Configuration[] = []
  const code = await runProgram(args, {
    environment,
    print: (text) => out.push(text),
    complain: (text) => err.push(text),
    serve: async (configuration) => void served.push(configuration),
    version: '1.2.3',
  })
  return { code, out: out.join('\n'), err: err.join(''), served }
}

describe('the command conclave-keyserver', () => {
  test.each([
    [[], 4444],
    [['serve'], 4444],
    [['--port', '6000'], 6000],
    [['serve', '--port', '6000'], 6000],
  ])('serves with %j', async (args, port) => {
    const { code, served, err } = await run(args)
    expect({ code, err, ports: served.map((one) => one.port) }).toEqual({
      code: 0,
      err: '',
      ports: [port],
    })
  })

  test.each([[['--help']], [['serve', '--help']]])(
    'explains every setting with %j',
    async (args) => {
      const { code, out, err, served } = await run(args)
      expect({ code, err, served }).toEqual({ code: 0, err: '', served: [] })
      const variables = [...settingsByName.values()].map(({ variable }) => variable)
      for (const name of [...variables, ...Object.values(secretVariables)])
        expect(out).toContain(name)
      for (const { option } of settingsByName.values()) expect(out).toContain(option.long)
    },
  )

  test('lists its commands', async () => {
    const { out } = await run(['--help'])
    for (const name of ['serve', 'meetings', 'dead-letters', 'token']) expect(out).toContain(name)
    const meetings = (await run(['meetings', '--help'])).out
    for (const name of ['list', 'show', 'log', 'end', 'remove']) expect(meetings).toContain(name)
  })

  test('tells its version', async () => {
    expect(await run(['--version'])).toMatchObject({ code: 0, out: '1.2.3' })
  })

  test('checks a configuration without serving, and tells no secret', async () => {
    const { code, out, served } = await run(['--check', '--port', '6000'], {
      CONCLAVE_ACCESS_SECRET: secret,
    })
    expect({ code, served }).toEqual({ code: 0, served: [] })
    expect(JSON.parse(out)).toMatchObject({ port: 6000, access: { secret: '[redacted]' } })
    expect(out).not.toContain(secret)
  })

  test.each<[string, string[], Record<string, string>]>([
    ['CONCLAVE_KEYSERVER_PORT', [], { CONCLAVE_KEYSERVER_PORT: 'x' }],
    ['--host', ['--host', '0.0.0.0'], {}],
    ['--sceret', ['--sceret', 'x'], {}],
    ['too many arguments', ['serve', 'more'], {}],
    ['--meeting', ['token', '--identity', 'alice'], {}],
    ['--grants', ['token', '--identity', 'a', '--meeting', 'm', '--grants', 'everything'], {}],
    ['CONCLAVE_ACCESS_SECRET', ['token', '--identity', 'a', '--meeting', 'm'], {}],
    ['CONCLAVE_API_TOKEN', ['meetings', 'list'], {}],
    ['--leaf', ['meetings', 'remove', 'standup'], { CONCLAVE_API_TOKEN: 'x' }],
    ['https:', ['meetings', 'list', '--url', 'http://keys.example'], { CONCLAVE_API_TOKEN: 'x' }],
  ])('that is wrong names %s', async (name, args, environment) => {
    const { code, out, err, served } = await run(args, environment)
    expect({ code, out, served }).toEqual({ code: 1, out: '', served: [] })
    expect(err).toContain(name)
  })

  test('mints a token with the secret of the environment', async () => {
    const args = [
      'token',
      '--identity',
      'ops',
      '--meeting',
      '*',
      '--grants',
      'manage',
      '--ttl',
      '60',
    ]
    const { code, out } = await run(args, { CONCLAVE_ACCESS_SECRET: secret })
    expect(code).toBe(0)
    const verifier = createTokenVerifier({ keys: [new HmacAccessKey(secret)], clock: systemClock })
    const { expiresAt, ...claims } = await verifier.verify(out)
    expect(claims).toEqual({ identity: 'ops', meeting: '*', grants: { manage: true } })
    expect(expiresAt).toBeLessThanOrEqual(systemClock.now() + 60_000)
  })

  test('names the keyserver that it cannot reach', async () => {
    const args = ['meetings', 'list', '--url', 'http://127.0.0.1:1/prefix']
    const { code, err } = await run(args, { CONCLAVE_API_TOKEN: 'x' })
    expect(code).toBe(2)
    expect(err).toContain('http://127.0.0.1:1/prefix/v1')
  })
})
