import { randomBytes } from 'node:crypto'
import { HmacAccessKey, isLoopbackHost, mintToken, resolveAccess } from '@conclave/core/access'
import { describe, expect, test } from 'vitest'

const clock = { now: () => Date.UTC(2026, 10, 21), setTimer: () => () => {} }
const runtime = { clock, randomBytes: (length: number) => new Uint8Array(randomBytes(length)) }
const secret = 'a secret of more than thirty-two bytes'

describe("a server's access rule", () => {
  test('without a secret on loopback it mints development tokens that it accepts', async () => {
    const access = resolveAccess({ host: '127.0.0.1', ...runtime })
    if (access.mode !== 'development') throw new Error('expected development mode')
    const token = await access.mint({ identity: 'alice', meeting: 'standup' })
    await expect(access.verifier.verify(token, { meeting: 'standup' })).resolves.toMatchObject({
      identity: 'alice',
      grants: { join: true, publish: true, subscribe: true },
    })
  })

  test('development tokens of one process are refused by another', async () => {
    const [one, other] = [0, 1].map(() => resolveAccess({ host: 'localhost', ...runtime }))
    if (one?.mode !== 'development') throw new Error('expected development mode')
    const token = await one.mint({ identity: 'alice', meeting: 'standup' })
    await expect(other?.verifier.verify(token)).rejects.toMatchObject({ code: 'token-signature' })
  })

  test.each(['0.0.0.0', '::', '', '192.168.1.4', 'meet.example', '127.0.0.1.example'])(
    'without a secret it refuses to listen on "%s" and says what to do',
    (host) => {
      expect(() => resolveAccess({ host, ...runtime })).toThrow(
        expect.objectContaining({
          code: 'access-keys-required',
          remedy: expect.stringContaining('secret') as string,
        }) as Error,
      )
    },
  )

  test('with a secret it listens anywhere, accepts its tokens and mints none', async () => {
    const access = resolveAccess({ secret, host: '0.0.0.0', ...runtime })
    expect(access).not.toHaveProperty('mint')
    expect(access.mode).toBe('configured')
    const token = await mintToken(
      { identity: 'alice', meeting: 'standup' },
      new HmacAccessKey(secret),
      clock,
    )
    await expect(access.verifier.verify(token)).resolves.toMatchObject({ identity: 'alice' })
  })

  test('a weak secret is refused even on loopback', () => {
    expect(() => resolveAccess({ secret: 'hunter2', host: '127.0.0.1', ...runtime })).toThrow(
      expect.objectContaining({ code: 'access-secret-weak' }) as Error,
    )
  })

  test.each([
    ['localhost', true],
    ['127.0.0.1', true],
    ['127.8.9.10', true],
    ['::1', true],
    ['[::1]', true],
    ['127.0.0.256', false],
    ['128.0.0.1', false],
    ['localhost.example', false],
  ])('"%s" is loopback: %s', (host, expected) => {
    expect(isLoopbackHost(host)).toBe(expected)
  })
})
