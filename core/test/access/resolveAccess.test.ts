import { randomBytes } from 'node:crypto'
import {
  type AccessErrorCode,
  type AccessKeys,
  HmacAccessKey,
  isLoopbackHost,
  mintToken,
  resolveAccess,
  type SigningKey,
} from '@conclave/core/access'
import { decodeProtectedHeader } from 'jose'
import { describe, expect, test } from 'vitest'
import { keyPair } from './keyPair.ts'

const clock = { now: () => Date.UTC(2026, 10, 21), setTimer: () => () => {} }
const runtime = { clock, randomBytes: (length: number) => new Uint8Array(randomBytes(length)) }
const never = () => Promise.reject(new Error('nothing is fetched here'))
const secret = 'a secret of more than thirty-two bytes'

describe("a server's access rule", () => {
  test('without a secret on loopback it mints development tokens that it accepts', async () => {
    const access = await resolveAccess({ host: '127.0.0.1', ...runtime })
    if (access.mode !== 'development') throw new Error('expected development mode')
    const token = await access.mint({ identity: 'alice', meeting: 'standup' })
    await expect(access.verifier.verify(token, { meeting: 'standup' })).resolves.toMatchObject({
      identity: 'alice',
      grants: { join: true, publish: true, subscribe: true },
    })
  })

  test('development tokens of one process are refused by another', async () => {
    const [one, other] = await Promise.all(
      [0, 1].map(() => resolveAccess({ host: 'localhost', ...runtime })),
    )
    if (one?.mode !== 'development') throw new Error('expected development mode')
    const token = await one.mint({ identity: 'alice', meeting: 'standup' })
    await expect(other?.verifier.verify(token)).rejects.toMatchObject({ code: 'token-signature' })
  })

  test.each(['0.0.0.0', '::', '', '192.168.1.4', 'meet.example', '127.0.0.1.example'])(
    'without a secret it refuses to listen on "%s" and says what to do',
    async (host) => {
      await expect(resolveAccess({ host, ...runtime })).rejects.toMatchObject({
        code: 'access-keys-required',
        remedy: expect.stringContaining('secret') as string,
      })
    },
  )

  test('with a secret it listens anywhere, accepts its tokens and mints with it', async () => {
    const access = await resolveAccess({ secret, host: '0.0.0.0', ...runtime })
    expect(access.mode).toBe('configured')
    const token = await mintToken(
      { identity: 'alice', meeting: 'standup' },
      new HmacAccessKey(secret),
      clock,
    )
    await expect(access.verifier.verify(token)).resolves.toMatchObject({ identity: 'alice' })
    const own = await access.mint?.({ identity: 'bob', meeting: '*', grants: { manage: true } })
    await expect(access.verifier.verify(own)).resolves.toMatchObject({ grants: { manage: true } })
  })

  test('a weak secret is refused even on loopback', async () => {
    for (const weak of [{ secret: 'hunter2' }, { secrets: { old: secret, new: 'hunter2' } }]) {
      await expect(resolveAccess({ ...weak, host: '127.0.0.1', ...runtime })).rejects.toMatchObject(
        {
          code: 'access-secret-weak',
        },
      )
    }
  })

  test('several secrets are accepted, each under its own id alone, and the first one mints', async () => {
    const secrets = { new: 'n'.repeat(32), old: 'o'.repeat(32) }
    const access = await resolveAccess({ secrets, host: '0.0.0.0', ...runtime })
    const mint = (text: string, id?: string) =>
      mintToken({ identity: 'alice', meeting: 'standup' }, new HmacAccessKey(text, id), clock)
    for (const [id, text] of Object.entries(secrets)) {
      const token = await mint(text, id)
      await expect(access.verifier.verify(token)).resolves.toMatchObject({ identity: 'alice' })
    }
    await expect(access.verifier.verify(await mint(secrets.old, 'new'))).rejects.toMatchObject({
      code: 'token-signature',
    })
    const own = await access.mint?.({ identity: 'bob', meeting: 'standup' })
    expect(decodeProtectedHeader(own ?? '')).toMatchObject({ alg: 'HS256', kid: 'new' })
  })

  test('with public keys alone it checks tokens and mints none', async () => {
    const { publicPem, signing } = await keyPair('ES256')
    const access = await resolveAccess({ publicKeys: [publicPem], host: '0.0.0.0', ...runtime })
    expect(access).toMatchObject({ mode: 'configured', mint: undefined })
    const token = await mintToken({ identity: 'alice', meeting: 'standup' }, signing, clock)
    await expect(access.verifier.verify(token)).resolves.toMatchObject({ identity: 'alice' })
  })

  test('with a key set it takes those of its keys that tokens can be under', async () => {
    const [one, other] = await Promise.all([keyPair('EdDSA', 'one'), keyPair('RS256', 'other')])
    const jwks = {
      keys: [
        { kty: 'oct', k: 'c2VjcmV0', kid: 'symmetric' },
        { ...other.publicJwk, use: 'enc' },
        { kty: 'EC', crv: 'P-521', kid: 'unknown' },
        one.publicJwk,
      ],
    }
    const access = await resolveAccess({ jwks, host: '0.0.0.0', ...runtime })
    const mint = (key: SigningKey) => mintToken({ identity: 'a', meeting: 'm' }, key, clock)
    await expect(access.verifier.verify(await mint(one.signing))).resolves.toMatchObject({
      identity: 'a',
    })
    await expect(access.verifier.verify(await mint(other.signing))).rejects.toMatchObject({
      code: 'token-signature',
    })
  })

  test.each<[string, AccessKeys, AccessErrorCode]>([
    ['a key set without a key', { jwks: { keys: [] } }, 'access-key-invalid'],
    ['a secret in a key set', { jwks: { keys: [{ kty: 'oct', k: 'AA' }] } }, 'access-key-invalid'],
    ['something else as a public key', { publicKeys: ['-----BEGIN X-----'] }, 'access-key-invalid'],
    ['a key set by ftp', { jwks: { url: 'ftp://a/b', fetch: never } }, 'url-invalid'],
    ['a key set by no URL', { jwks: { url: 'keys', fetch: never } }, 'url-invalid'],
    ['a key set in clear', { jwks: { url: 'http://a.example/', fetch: never } }, 'insecure-url'],
  ])('%s is refused, and the remedy says what to give', async (_, keys, code) => {
    await expect(resolveAccess({ ...keys, host: '127.0.0.1', ...runtime })).rejects.toMatchObject({
      code,
      remedy: expect.stringMatching(/give|serve/) as string,
    })
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
