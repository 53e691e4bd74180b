import type { Grants } from '@conclave/core/access'
import { utf8 } from '@conclave/core/codec'
import { packKeyPackages } from '@conclave/core/delivery'
import { describe, expect, test } from 'vitest'
import type { DirectoryDevice, DirectoryStore } from '../../src/directory/directory.ts'
import type { DirectoryRequestName } from '../../src/directory/handlers.ts'
import { memoryDirectory } from '../../src/directory/memoryDirectory.ts'
import { StoreError } from '../../src/store/storeError.ts'
import { TestServer } from '../support/testServer.ts'
import { recordingObserver } from './recordingObserver.ts'

const deviceKey = new Uint8Array(32)
const requests: { readonly [N in DirectoryRequestName]: object } = {
  publish: { keyPackages: packKeyPackages([utf8('no KeyPackage')]), lastResort: null },
  stock: { deviceKey },
  claim: { identity: 'bob' },
  mailbox: { deviceKey },
  collect: { deviceKey, groupId: deviceKey, ref: deviceKey },
}
const names = Object.keys(requests) as DirectoryRequestName[]
const answered = (name: DirectoryRequestName) =>
  name === 'publish' ? { ok: false, code: 'key-package-invalid' } : { ok: true }

async function connect(server: TestServer, grants: Grants = { join: true, invite: true }) {
  const token = await server.mint({ identity: 'alice', meeting: 'standup', grants })
  return await server.connectWith({ token })
}

describe('a request to the directory', () => {
  test.each(names)('"%s" needs no meeting, and may be made in one', async (name) => {
    const client = await connect(await TestServer.start())
    expect(await client.send(name, requests[name])).toMatchObject(answered(name))
    expect(await client.enter('standup')).toMatchObject({ ok: true })
    expect(await client.send(name, requests[name])).toMatchObject(answered(name))
  })

  test('is made by the identity of the token', async () => {
    const asked: DirectoryDevice[] = []
    const store = memoryDirectory()
    const directoryStore: DirectoryStore = {
      ...store,
      stock: (device, now) => {
        asked.push(device)
        return store.stock(device, now)
      },
    }
    const client = await connect(await TestServer.start({ directoryStore }))
    const request = { deviceKey, identity: 'bob' }
    expect(await client.send('stock', request)).toMatchObject({ ok: true, remaining: 0 })
    expect(asked).toEqual([{ identity: 'alice', deviceKey }])
  })

  test('to claim takes the grant to invite, and no other does', async () => {
    const { observer, refused } = recordingObserver()
    const client = await connect(await TestServer.start({ observer }), { join: true, manage: true })
    const refusal = { code: 'not-permitted', detail: 'token-grant-missing' }
    expect(await client.send('claim', requests.claim)).toMatchObject(refusal)
    expect(refused).toEqual([{ request: 'claim', ...refusal }])
    for (const name of names.filter((name) => name !== 'claim')) {
      expect(await client.send(name, requests[name])).toMatchObject(answered(name))
    }
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
    const store = memoryDirectory()
    const directoryStore: DirectoryStore = {
      ...store,
      stock: (device, now) => (broken ? Promise.reject(error) : store.stock(device, now)),
    }
    const { observer, refused } = recordingObserver()
    const server = await TestServer.start({ directoryStore, observer })
    const client = await connect(server)
    expect(await client.send('stock', requests.stock)).toMatchObject({ ok: false, code })
    expect(refused).toEqual([{ request: 'stock', code, detail: undefined }])
    const told = server.log.filter((line) => line.includes('"request":"stock"'))
    expect(told.some((line) => line.includes(level))).toBe(true)
    expect(server.log.join('')).not.toContain('hush')
    broken = false
    expect(await client.send('stock', requests.stock)).toMatchObject({ ok: true })
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
