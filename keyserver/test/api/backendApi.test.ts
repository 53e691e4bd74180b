import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mintToken, PrivateAccessKey } from '@conclave/core/access'
import { toHex } from '@conclave/core/codec'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Standalone } from '../edge/standalone.ts'
import { meetingOf } from '../support/testMember.ts'

/** One request of each kind. */
const everything = [
  ['GET', '/v1/meetings'],
  ['GET', '/v1/meetings/standup'],
  ['GET', '/v1/meetings/standup/log'],
  ['DELETE', '/v1/meetings/standup'],
  ['POST', '/v1/meetings/standup/removals'],
  ['POST', '/v1/tokens'],
  ['DELETE', '/v1/directory/alice'],
  ['GET', '/v1/dead-letters'],
  ['POST', '/v1/dead-letters/x/retry'],
  ['GET', '/v1/metrics'],
  ['GET', '/v1/elsewhere'],
] as const

describe('the backend API', () => {
  test('lists meetings and shows one as its public group is, with its log', async () => {
    const server = await Standalone.start()
    expect(await server.ask('GET', '/v1/meetings')).toEqual({
      status: 200,
      body: { meetingIds: [], cursor: null },
    })
    const [alice] = await meetingOf(server, 'alice', 'bob')
    expect((await server.ask('GET', '/v1/meetings')).body).toMatchObject({
      meetingIds: ['standup'],
    })
    const shown = await server.ask('GET', '/v1/meetings/standup')
    expect(shown).toMatchObject({
      status: 200,
      body: {
        meetingId: 'standup',
        groupId: toHex(alice?.groupId ?? new Uint8Array()),
        epoch: 1,
        head: 1,
        waiting: 0,
        roster: [
          { leaf: 0, identity: 'alice', connected: true, beingRemoved: false },
          { leaf: 1, identity: 'bob', connected: true, beingRemoved: false },
        ],
      },
    })
    expect(await server.ask('GET', '/v1/meetings/standup/log')).toMatchObject({
      status: 200,
      body: { head: 1, lines: [{ seq: 1, kind: 'commit', epoch: 0, sender: 'leaf 0' }] },
    })
    expect(await server.ask('GET', '/v1/meetings/standup/log?after=1')).toMatchObject({
      body: { head: 1, lines: [] },
    })
  })

  test('serves meetings whose ids need escaping, under the prefix of the socket’s path', async () => {
    const server = await Standalone.start(['--path', '/keys/socket.io'])
    const path = `/v1/meetings/${encodeURIComponent('a/b ü?%2F..')}`
    expect(await server.ask('GET', path)).toMatchObject({
      status: 404,
      body: { code: 'meeting-unknown' },
    })
  })

  test('ends a meeting and deletes what is stored for it', async () => {
    const server = await Standalone.start()
    const [alice] = await meetingOf(server, 'alice', 'bob')
    expect(await server.ask('DELETE', '/v1/meetings/standup')).toEqual({
      status: 204,
      body: undefined,
    })
    expect(await alice?.client.notice('closed')).toMatchObject({ reason: 'ended' })
    expect(await server.ask('GET', '/v1/meetings/standup')).toMatchObject({ status: 404 })
    expect(await server.ask('GET', '/v1/meetings/standup/log')).toMatchObject({ status: 404 })
    expect(await server.ask('DELETE', '/v1/meetings/standup')).toMatchObject({
      status: 404,
      body: { code: 'meeting-unknown' },
    })
  })

  test.each([{ leaf: 1 }, { identity: 'bob' }])('removes whoever is %j', async (who) => {
    const server = await Standalone.start()
    const [alice, bob] = await meetingOf(server, 'alice', 'bob')
    if (alice === undefined || bob === undefined) throw new Error('nobody is there')
    const path = '/v1/meetings/standup/removals'
    expect(await server.ask('POST', path, { body: who })).toEqual({
      status: 202,
      body: { leaves: [1] },
    })
    const { entry } = await alice.client.notice('entry', ({ entry: { seq } }) => seq === 2)
    await alice.receive([entry])
    await alice.commit()
    const { body } = await server.ask('GET', '/v1/meetings/standup')
    expect(body).toMatchObject({ epoch: 2, roster: [{ identity: 'alice' }] })
    expect(await server.ask('POST', path, { body: who })).toMatchObject({
      status: 404,
      body: { code: 'member-unknown' },
    })
  })

  test('issues tokens that let people in', async () => {
    const server = await Standalone.start()
    const body = { identity: 'alice', meeting: 'standup', grants: { join: true }, ttlSeconds: 60 }
    const issued = await server.ask('POST', '/v1/tokens', { body })
    expect(issued.status).toBe(201)
    const { token } = issued.body as { token: string }
    expect(await server.ask('GET', '/v1/meetings', { token })).toMatchObject({
      status: 403,
      body: { code: 'token-grant-missing' },
    })
  })

  test('issues none where it has public keys alone', async () => {
    const pair = generateKeyPairSync('ed25519')
    const folder = await mkdtemp(join(tmpdir(), 'conclave-api-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const file = join(folder, 'public.pem')
    await writeFile(file, pair.publicKey.export({ format: 'pem', type: 'spki' }))
    const server = await Standalone.start(['--public-keys', file], { CONCLAVE_ACCESS_SECRET: '' })
    const pem = pair.privateKey.export({ format: 'pem', type: 'pkcs8' })
    const key = await PrivateAccessKey.import(String(pem))
    const request = { identity: 'backend', meeting: '*', grants: { manage: true } }
    const token = await mintToken(request, key, server.clock)
    const body = { identity: 'alice', meeting: 'standup' }
    expect(await server.ask('POST', '/v1/tokens', { token, body })).toMatchObject({
      status: 501,
      body: { code: 'token-issuing-unavailable', remedy: expect.any(String) as string },
    })
  })

  test('gives a token for one meeting that meeting alone', async () => {
    const server = await Standalone.start()
    await meetingOf(server, 'alice')
    const token = await server.manager('standup')
    const status = async (method: string, path: string, body?: object) =>
      (await server.ask(method, path, { token, body })).status
    expect(await status('GET', '/v1/meetings/standup')).toBe(200)
    expect(await status('POST', '/v1/tokens', { identity: 'a', meeting: 'standup' })).toBe(201)
    expect(await status('GET', '/v1/meetings/retro')).toBe(403)
    expect(await status('DELETE', '/v1/meetings/retro')).toBe(403)
    expect(await status('POST', '/v1/meetings/retro/removals', { leaf: 0 })).toBe(403)
    expect(await status('POST', '/v1/tokens', { identity: 'a', meeting: 'retro' })).toBe(403)
    expect(await status('POST', '/v1/tokens', { identity: 'a', meeting: '*' })).toBe(403)
    for (const path of ['/v1/meetings', '/v1/metrics', '/v1/dead-letters']) {
      expect(await status('GET', path)).toBe(403)
    }
    expect(await status('POST', '/v1/dead-letters/x/retry')).toBe(403)
    expect(await status('DELETE', '/v1/directory/alice')).toBe(403)
  })

  test('refuses everybody else', async () => {
    const server = await Standalone.start()
    const expired = await server.mint({ identity: 'b', meeting: '*', ttlSeconds: 1 })
    const cases: [string | null, number, string][] = [
      [null, 401, 'token-missing'],
      ['nonsense', 401, 'token-malformed'],
      [`${expired}x`, 401, 'token-signature'],
      [await server.mint({ identity: 'alice', meeting: '*' }), 403, 'token-grant-missing'],
    ]
    for (const [token, status, code] of cases) {
      for (const [method, path] of everything) {
        expect(await server.ask(method, path, { token })).toMatchObject({ status, body: { code } })
      }
    }
  })

  test.each<[string, string, string, unknown, number, string]>([
    ['no JSON', 'POST', '/v1/tokens', '{', 400, 'request-malformed'],
    ['no meeting', 'POST', '/v1/tokens', { identity: 'a' }, 400, 'request-malformed'],
    [
      'a token that could issue others',
      'POST',
      '/v1/tokens',
      { identity: 'a', meeting: 'standup', grants: { manage: true } },
      400,
      'request-malformed',
    ],
    [
      'a token that outlives a day',
      'POST',
      '/v1/tokens',
      { identity: 'a', meeting: 'standup', ttlSeconds: 86_401 },
      400,
      'request-malformed',
    ],
    ['nobody', 'POST', '/v1/meetings/standup/removals', {}, 400, 'request-malformed'],
    [
      'two at once',
      'POST',
      '/v1/meetings/standup/removals',
      { leaf: 0, identity: 'a' },
      400,
      'request-malformed',
    ],
    [
      'a leaf before the first',
      'POST',
      '/v1/meetings/m/removals',
      { leaf: -1 },
      400,
      'request-malformed',
    ],
    ['an endless page', 'GET', '/v1/meetings?limit=100000', undefined, 400, 'request-malformed'],
    [
      'an entry that is none',
      'GET',
      '/v1/meetings/m/log?after=x',
      undefined,
      400,
      'request-malformed',
    ],
    ['too much', 'POST', '/v1/tokens', ' '.repeat(20_000), 413, 'payload-too-large'],
    [
      'a dead letter that is none',
      'POST',
      '/v1/dead-letters/x/retry',
      undefined,
      404,
      'dead-letter-unknown',
    ],
    ['something else', 'GET', '/v1/elsewhere', undefined, 404, 'not-found'],
    ['another method', 'PUT', '/v1/meetings', undefined, 404, 'not-found'],
  ])('refuses who asks for %s', async (_, method, path, body, status, code) => {
    const server = await Standalone.start()
    const answer = await server.ask(method, path, { body })
    expect(answer).toMatchObject({ status, body: { code, message: expect.any(String) as string } })
  })

  test('reads no more of a body without a length than it may have', async () => {
    const server = await Standalone.start()
    const chunk = new TextEncoder().encode(' '.repeat(4096))
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += chunk.length
        if (sent > 64 << 20) controller.close()
        else controller.enqueue(chunk)
      },
    })
    const streamed: RequestInit & { duplex: 'half' } = {
      method: 'POST',
      headers: { authorization: `Bearer ${await server.manager()}` },
      body,
      duplex: 'half',
    }
    const response = await fetch(`${server.url}/v1/tokens`, streamed).then(
      ({ status }) => status,
      () => 'cut',
    )
    expect([413, 'cut']).toContain(response)
    expect(sent).toBeLessThan(8 << 20)
  })

  test('is not for caches, and for an address only so often', async () => {
    const server = await Standalone.start(['--connection-attempts', '3'])
    const token = await server.manager()
    const ask = () =>
      fetch(`${server.url}/v1/meetings`, { headers: { authorization: `Bearer ${token}` } })
    const answers = [await ask(), await ask(), await ask(), await ask()]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429])
    for (const { headers } of answers) expect(headers.get('cache-control')).toBe('no-store')
    expect(await answers[3]?.json()).toMatchObject({ code: 'rate-limited' })
  })

  test('deletes what the directory has of somebody', async () => {
    const server = await Standalone.start()
    expect(await server.ask('DELETE', '/v1/directory/alice')).toEqual({
      status: 204,
      body: undefined,
    })
  })
})
