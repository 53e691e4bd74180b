import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import {
  AccessError,
  type AccessErrorCode,
  CLOCK_TOLERANCE_SECONDS,
  createTokenVerifier,
  HmacAccessKey,
  MAX_TOKEN_LENGTH,
  mintToken,
  requireGrant,
} from '@conclave/core/access'
import { SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, test } from 'vitest'

const START = Date.UTC(2026, 10, 21)
const clock = { now: () => START, setTimer: () => () => {} }
const clockAfter = (seconds: number) => ({ ...clock, now: () => START + seconds * 1000 })
const key = new HmacAccessKey(randomBytes(32))
const verifier = createTokenVerifier({ keys: [key], clock })

const refusal = (code: AccessErrorCode) =>
  expect.objectContaining({ code, constructor: AccessError }) as unknown

/** A token signed by the right key with whatever payload a careless backend might put in. */
const signed = (payload: Record<string, unknown>) =>
  new SignJWT(payload).setProtectedHeader({ alg: 'HS256' }).sign(key.material())

describe('access tokens', () => {
  test('a minted token verifies to what was asked for', async () => {
    const token = await mintToken(
      { identity: 'alice', meeting: 'standup', grants: { join: true }, ttlSeconds: 60 },
      key,
      clock,
    )
    expect(await verifier.verify(token, { meeting: 'standup' })).toEqual({
      identity: 'alice',
      meeting: 'standup',
      grants: { join: true },
      expiresAt: START + 60_000,
    })
  })

  test('a token for every meeting is accepted in each', async () => {
    const token = await mintToken({ identity: 'bot', meeting: '*' }, key, clock)
    const claims = await verifier.verify(token, { meeting: 'retro' })
    expect(claims.meeting).toBe('*')
  })

  test('a token is refused in another meeting', async () => {
    const token = await mintToken({ identity: 'alice', meeting: 'standup' }, key, clock)
    await expect(verifier.verify(token, { meeting: 'retro' })).rejects.toEqual(
      refusal('token-wrong-meeting'),
    )
  })

  test("a meeting's token is good for its breakout rooms, and a room's for nothing else", async () => {
    const room = `standup#room-${'0a'.repeat(16)}`
    const token = await mintToken({ identity: 'alice', meeting: 'standup' }, key, clock)
    expect(await verifier.verify(token, { meeting: room })).toMatchObject({ meeting: 'standup' })
    for (const other of [`retro#room-${'0a'.repeat(16)}`, 'standup#room-0a', `${room}#room-1`]) {
      await expect(verifier.verify(token, { meeting: other })).rejects.toEqual(
        refusal('token-wrong-meeting'),
      )
    }
    const roomOnly = await mintToken({ identity: 'alice', meeting: room }, key, clock)
    await expect(verifier.verify(roomOnly, { meeting: 'standup' })).rejects.toEqual(
      refusal('token-wrong-meeting'),
    )
  })

  test('a token is good until its expiry and not at it', async () => {
    const token = await mintToken(
      { identity: 'alice', meeting: 'standup', ttlSeconds: 60 },
      key,
      clock,
    )
    const verifyAfter = (seconds: number) =>
      createTokenVerifier({ keys: [key], clock: clockAfter(seconds) }).verify(token)
    await expect(verifyAfter(59)).resolves.toMatchObject({ identity: 'alice' })
    await expect(verifyAfter(60)).rejects.toEqual(refusal('token-expired'))
  })

  test('a token may say from when on it is good, give or take ten seconds', async () => {
    const token = await signed({
      sub: 'alice',
      meeting: 'standup',
      grants: {},
      nbf: START / 1000 + 60,
      exp: 2 ** 40,
    })
    const verifyAfter = (seconds: number) =>
      createTokenVerifier({ keys: [key], clock: clockAfter(seconds) }).verify(token)
    await expect(verifyAfter(60 - CLOCK_TOLERANCE_SECONDS - 1)).rejects.toEqual(
      refusal('token-not-yet-valid'),
    )
    await expect(verifyAfter(60 - CLOCK_TOLERANCE_SECONDS)).resolves.toMatchObject({
      identity: 'alice',
    })
  })

  test('a token lets nobody invite or manage unless that was asked for', async () => {
    const token = await mintToken({ identity: 'alice', meeting: 'standup' }, key, clock)
    const claims = await verifier.verify(token)
    expect(claims.grants).toEqual({ join: true, publish: true, subscribe: true })
    for (const grant of ['invite', 'manage'] as const) {
      expect(() => requireGrant(claims, grant)).toThrow(
        expect.objectContaining({ code: 'token-grant-missing' }) as Error,
      )
      const asked = { identity: 'app', meeting: '*', grants: { [grant]: true } }
      const given = await verifier.verify(await mintToken(asked, key, clock))
      expect(() => requireGrant(given, grant)).not.toThrow()
      expect(given.grants).toEqual({ [grant]: true })
    }
  })

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])(
    'none is minted for a lifetime of %d seconds',
    async (ttlSeconds) => {
      const request = { identity: 'alice', meeting: 'standup', ttlSeconds }
      await expect(mintToken(request, key, clock)).rejects.toBeInstanceOf(RangeError)
    },
  )

  test('a token under another key, even one claiming the right key id, is refused', async () => {
    const named = createTokenVerifier({ keys: [new HmacAccessKey(randomBytes(32), 'k1')], clock })
    const forged = await mintToken(
      { identity: 'mallory', meeting: 'standup' },
      new HmacAccessKey(randomBytes(32), 'k1'),
      clock,
    )
    await expect(named.verify(forged)).rejects.toEqual(refusal('token-signature'))
  })

  test('during a key rotation tokens of both keys are accepted, of no third', async () => {
    const keys = ['old', 'new'].map((id) => new HmacAccessKey(randomBytes(32), id))
    const rotating = createTokenVerifier({ keys, clock })
    for (const current of keys) {
      const token = await mintToken({ identity: 'alice', meeting: 'standup' }, current, clock)
      await expect(rotating.verify(token)).resolves.toMatchObject({ identity: 'alice' })
    }
    const other = await mintToken({ identity: 'alice', meeting: 'standup' }, key, clock)
    await expect(rotating.verify(other)).rejects.toEqual(refusal('token-signature'))
  })

  test('a token whose payload was changed is refused', async () => {
    const token = await mintToken({ identity: 'alice', meeting: 'standup' }, key, clock)
    const [header, , signature] = token.split('.')
    const payload = Buffer.from(
      JSON.stringify({ sub: 'alice', meeting: '*', grants: { join: true }, exp: 2 ** 40 }),
    ).toString('base64url')
    await expect(verifier.verify(`${header}.${payload}.${signature}`)).rejects.toEqual(
      refusal('token-signature'),
    )
  })

  test('an unsigned token is refused', async () => {
    const token = new UnsecuredJWT({
      sub: 'alice',
      meeting: '*',
      grants: {},
      exp: 2 ** 40,
    }).encode()
    await expect(verifier.verify(token)).rejects.toEqual(refusal('token-signature'))
  })

  test.each([undefined, null, ''])('no token (%j) is named as such', async (token) => {
    await expect(verifier.verify(token)).rejects.toEqual(refusal('token-missing'))
  })

  test.each([
    ['a number', 7],
    ['an object', { token: 'x' }],
    ['a word', 'token'],
    ['three words', 'a.b.c'],
    ['an oversize string', 'a'.repeat(MAX_TOKEN_LENGTH + 1)],
  ])('%s is malformed', async (_, token) => {
    await expect(verifier.verify(token)).rejects.toEqual(refusal('token-malformed'))
  })

  test.each<[string, Record<string, unknown>]>([
    ['no identity', { meeting: 'standup', grants: {}, exp: 2 ** 40 }],
    ['no meeting', { sub: 'alice', grants: {}, exp: 2 ** 40 }],
    ['no expiry', { sub: 'alice', meeting: 'standup', grants: {} }],
    ['no grants', { sub: 'alice', meeting: 'standup', exp: 2 ** 40 }],
    ['grants in a list', { sub: 'alice', meeting: 'standup', grants: ['join'], exp: 2 ** 40 }],
    ['a grant in words', { sub: 'a', meeting: 'm', grants: { join: 'yes' }, exp: 2 ** 40 }],
    ['a start in words', { sub: 'a', meeting: 'm', grants: {}, nbf: 'now', exp: 2 ** 40 }],
    ['an endless life', { sub: 'a', meeting: 'm', grants: {}, exp: '2 ** 40' }],
    ['an oversize identity', { sub: 'a'.repeat(257), meeting: 'm', grants: {}, exp: 2 ** 40 }],
  ])('a signed token with %s is malformed', async (_, payload) => {
    await expect(verifier.verify(await signed(payload))).rejects.toEqual(refusal('token-malformed'))
  })

  test('a grant that the token does not give is missing, also when it is unknown', async () => {
    const claims = await verifier.verify(
      await signed({ sub: 'a', meeting: 'm', grants: { join: true, fly: true }, exp: 2 ** 40 }),
    )
    expect(claims.grants).toEqual({ join: true })
    expect(() => requireGrant(claims, 'join')).not.toThrow()
    expect(() => requireGrant(claims, 'publish')).toThrow(
      expect.objectContaining({ code: 'token-grant-missing' }) as Error,
    )
  })
})

describe('access keys', () => {
  test('a short secret is refused', () => {
    expect(() => new HmacAccessKey('x'.repeat(31))).toThrow(
      expect.objectContaining({ code: 'access-secret-weak' }) as Error,
    )
  })

  test('a printed key does not show its secret', () => {
    const printed = new HmacAccessKey('correct horse battery staple, twice over')
    expect(inspect(printed, { depth: 9 }) + JSON.stringify(printed)).not.toContain('horse')
    expect(inspect(printed)).not.toContain('99, 111')
  })
})
