import type { AccessClaims, Grants } from '@conclave/core/access'
import { utf8 } from '@conclave/core/codec'
import { packKeyPackages, protocolMinor, unpackKeyPackages } from '@conclave/core/delivery'
import { describe, expect, test } from 'vitest'
import type { DirectoryHandlers, DirectoryRequestName } from '../../src/directory/handlers.ts'
import { StoreError } from '../../src/store/storeError.ts'
import { TestServer } from '../support/testServer.ts'
import { recordingObserver } from './recordingObserver.ts'

const deviceKey = new Uint8Array(32)
const requests: { readonly [N in DirectoryRequestName]: object } = {
  publish: { keyPackages: packKeyPackages([utf8('one')]), lastResort: null },
  stock: { deviceKey },
  claim: { identity: 'bob' },
  mailbox: { deviceKey },
  collect: { deviceKey, ref: deviceKey },
}
const names = Object.keys(requests) as DirectoryRequestName[]

/** A directory whose every answer is `answer`, and what it was asked. */
function directoryThat(
  answer: () => Promise<never> = () => Promise.resolve({ ok: true } as never),
) {
  const asked: { name: string; claims: AccessClaims; request: object }[] = []
  const handler = (name: string) => (claims: AccessClaims, request: object) => {
    asked.push({ name, claims, request })
    return answer()
  }
  const directory: DirectoryHandlers = {
    publish: handler('publish'),
    stock: handler('stock'),
    claim: handler('claim'),
    mailbox: handler('mailbox'),
    collect: handler('collect'),
  }
  return { directory, asked }
}

async function connect(server: TestServer, grants: Grants = { join: true, invite: true }) {
  const token = await server.mint({ identity: 'alice', meeting: 'standup', grants })
  return await server.connectWith({ token })
}

describe('a request to the directory', () => {
  test.each(names)('"%s" needs no meeting, and says whose token asks', async (name) => {
    const { directory, asked } = directoryThat()
    const client = await connect(await TestServer.start({ directory }))
    expect(await client.send(name, requests[name])).toEqual({ ok: true })
    expect(await client.enter('standup')).toMatchObject({ ok: true })
    expect(await client.send(name, requests[name])).toEqual({ ok: true })
    expect(asked.map((one) => [one.name, one.claims.identity])).toEqual([
      [name, 'alice'],
      [name, 'alice'],
    ])
    expect(Object.keys(asked[0]?.request ?? {})).toEqual(Object.keys(requests[name]))
  })

  test('to claim takes the grant to invite, and no other does', async () => {
    const { directory, asked } = directoryThat()
    const { observer, refused } = recordingObserver()
    const server = await TestServer.start({ directory, observer })
    const client = await connect(server, { join: true, manage: true })
    expect(await client.send('claim', requests.claim)).toMatchObject({
      code: 'not-permitted',
      detail: 'token-grant-missing',
    })
    expect(refused).toEqual([
      { request: 'claim', code: 'not-permitted', detail: 'token-grant-missing' },
    ])
    expect(asked).toEqual([])
    for (const name of names.filter((name) => name !== 'claim')) {
      expect(await client.send(name, requests[name])).toEqual({ ok: true })
    }
  })

  test('carries lists packed, both ways', async () => {
    const keyPackages = packKeyPackages([utf8('one'), utf8('two')])
    const answer = () => Promise.resolve({ ok: true, keyPackages } as never)
    const client = await connect(await TestServer.start(directoryThat(answer)))
    const reply = (await client.send('claim', requests.claim)) as { keyPackages: Buffer }
    expect(unpackKeyPackages(new Uint8Array(reply.keyPackages))).toEqual([utf8('one'), utf8('two')])
  })

  test.each<[string, Error, string, string]>([
    [
      'that the store cannot be reached for',
      new StoreError('store-unreachable', 'no answer', { cause: new Error('SET hush hush') }),
      'unavailable',
      '"level":40',
    ],
    ['that fails', new Error('a fault'), 'internal', '"level":50'],
  ])('%s is refused, and may be repeated', async (_, error, code, level) => {
    let broken = true
    const answer = () => (broken ? Promise.reject(error) : Promise.resolve({ ok: true } as never))
    const { observer, refused } = recordingObserver()
    const server = await TestServer.start({ ...directoryThat(answer), observer })
    const client = await connect(server)
    expect(await client.send('stock', requests.stock)).toMatchObject({ ok: false, code })
    expect(refused).toEqual([{ request: 'stock', code, detail: undefined }])
    const told = server.log.filter((line) => line.includes('"request":"stock"'))
    expect(told.some((line) => line.includes(level))).toBe(true)
    expect(server.log.join('')).not.toContain('hush')
    broken = false
    expect(await client.send('stock', requests.stock)).toEqual({ ok: true })
  })
})

describe('the minor version', () => {
  test.each([{}, { minor: 0 }, { minor: 1 }, { minor: 99 }])(
    'of a client that says %j is taken, and the keyserver’s told',
    async (version) => {
      const client = await connect(await TestServer.start())
      const request = { protocol: 1, meetingId: 'standup', ...version }
      expect(await client.send('enter', request)).toMatchObject({ ok: true, minor: protocolMinor })
    },
  )

  test.each([-1, 0.5, '1', null])('is not %j', async (minor) => {
    const client = await connect(await TestServer.start())
    const request = { protocol: 1, meetingId: 'standup', minor }
    expect(await client.send('enter', request)).toMatchObject({ code: 'request-malformed' })
  })
})

test('what no request is called is counted under one name', async () => {
  const { observer, refused, cut } = recordingObserver()
  const client = await connect(await TestServer.start({ observer }))
  for (const name of ['destroy', 'constructor']) await client.send(name, {})
  client.socket.emit('tree', { groupId: deviceKey, treeHash: deviceKey }, undefined as never)
  await expect.poll(() => cut).toEqual(['malformed'])
  expect(refused.map(({ request }) => request)).toEqual(['unknown', 'unknown'])
})
