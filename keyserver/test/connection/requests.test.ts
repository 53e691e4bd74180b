import { utf8 } from '@conclave/core/codec'
import {
  maxApplicationMessageBytes,
  maxKeyPackageBytes,
  maxMessageBytes,
  maxOfferBytes,
  maxProposalBytes,
  type RequestName,
} from '@conclave/core/delivery'
import { memoryStore } from '@conclave/keyserver'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { StoreError } from '../../src/store/storeError.ts'
import { HostileSession } from '../hostile/hostileSession.ts'
import { eventually } from '../support/eventually.ts'
import { meetingRequests, requestNames, wellFormed } from '../support/requests.ts'
import type { TestClient } from '../support/testClient.ts'
import { TestMember } from '../support/testMember.ts'
import { TestServer } from '../support/testServer.ts'

const groupId = new Uint8Array(16)
const short = utf8('short')

const entered = async (server: TestServer): Promise<TestClient> => {
  const grants = { join: true, invite: true, remove: true }
  const token = await server.mint({ identity: 'alice', meeting: 'standup', grants })
  const client = await server.connectWith({ token })
  expect(await client.enter('standup')).toMatchObject({ ok: true, group: null })
  return client
}
const standup = (client: TestClient) => client.enter('standup')

describe('a malformed request', () => {
  test.each(requestNames)('"%s" with a payload of any other kind is refused', async (name) => {
    const client = await entered(await TestServer.start())
    const malformed = { ok: false, code: 'request-malformed' }
    for (const payload of [null, undefined, 7, 'x', true, [], short, { __proto__: null }]) {
      expect(await client.send(name, payload)).toMatchObject(malformed)
    }
    expect(await client.send(name)).toMatchObject(malformed)
    expect(await client.send(name, wellFormed[name], wellFormed[name])).toMatchObject(malformed)
  })

  test.each(requestNames)(
    '"%s" without one of its fields, or with a wrong one, is refused',
    async (name) => {
      const client = await entered(await TestServer.start())
      for (const field of Object.keys(wellFormed[name])) {
        const { [field]: _, ...incomplete } = wellFormed[name]
        for (const wrong of [undefined, {}, ['x'], true, -1, 1.5, 2 ** 60, '']) {
          const payload = wrong === undefined ? incomplete : { ...incomplete, [field]: wrong }
          expect(await client.send(name, payload), `${field}: ${wrong}`).toMatchObject({
            ok: false,
            code: 'request-malformed',
            message: expect.stringContaining(field) as string,
          })
        }
      }
    },
  )

  test.each<[RequestName, string, number]>([
    ['create', 'groupInfo', maxMessageBytes],
    ['create', 'ratchetTree', maxMessageBytes],
    ['wait', 'keyPackage', maxKeyPackageBytes],
    ['wait', 'groupId', 256],
    ['attach', 'signature', 256],
    ['propose', 'message', maxProposalBytes],
    ['commit', 'message', maxMessageBytes],
    ['commit', 'welcome', maxMessageBytes],
    ['commit', 'groupInfo', maxMessageBytes],
    ['tree', 'treeHash', 256],
    ['report', 'signature', 256],
    ['send', 'message', maxApplicationMessageBytes],
    ['remove', 'words', 1 << 16],
    ['offer', 'keyPackage', maxOfferBytes],
    ['continue', 'groupInfo', maxMessageBytes],
    ['continue', 'ratchetTree', maxMessageBytes],
    ['continue', 'welcome', maxMessageBytes],
    ['giveBack', 'entries', maxMessageBytes],
    ['giveBack', 'groupInfo', maxMessageBytes],
  ])('"%s" with too large a %s is refused as that', async (name, field, limit) => {
    const client = await entered(await TestServer.start())
    const payload = (size: number) => ({ ...wellFormed[name], [field]: new Uint8Array(size) })
    expect(await client.send(name, payload(limit + 1))).toMatchObject({
      code: 'payload-too-large',
    })
    const code = name === 'create' ? 'message-invalid' : 'group-unknown'
    expect(await client.send(name, payload(limit))).not.toMatchObject({ code: 'payload-too-large' })
    expect(await client.send(name, wellFormed[name])).toMatchObject({ code })
  })

  test('a field that this version does not know is no fault', async () => {
    const client = await server()
    const request = { ...wellFormed.enter, meetingId: 'standup', shoeSize: 42 }
    expect(await client.send('enter', request)).toMatchObject({ ok: true })
  })

  test.each(['destroy', 'constructor', '__proto__', 'toString'])(
    'a request for "%s" is refused',
    async (name) => {
      const client = await entered(await TestServer.start())
      expect(await client.send(name, {})).toMatchObject({ code: 'request-malformed' })
      expect(await client.send('resume', wellFormed.resume)).toMatchObject({
        code: 'group-unknown',
      })
    },
  )

  test('one that cannot be answered ends the connection, and no other', async () => {
    const at = await TestServer.start()
    const [good, bad] = [await entered(at), await entered(at)]
    bad.socket.emit('resume', { groupId, after: 0 }, 'not a function' as never)
    await eventually('the cut', () => !bad.socket.connected)
    expect(await good.send('resume', wellFormed.resume)).toMatchObject({ code: 'group-unknown' })
  })

  test('one that cannot be answered is the last: what came together with it is not done', async () => {
    const at = await TestServer.start()
    const { port } = new URL(at.url)
    const bad = await HostileSession.open(Number(port), '192.0.2.1', new Set())
    await bad.present({ token: await at.token('alice', 'standup') })
    bad.socket.together(() => {
      bad.send('resume', [wellFormed.resume], { acknowledged: false })
      bad.send('enter', [{ ...wellFormed.enter, meetingId: 'standup' }])
    })
    await eventually('the cut', () => bad.socket.closed)
    await eventually('its end', () => at.keyserver.health().connections === 0)
    expect(at.keyserver.health().meetings).toBe(0)
  })

  test('a packet beyond all bounds ends the connection, and no other', async () => {
    const at = await TestServer.start()
    const [good, bad] = [await entered(at), await entered(at)]
    const message = new Uint8Array(5 << 20)
    await expect(bad.send('propose', { groupId, message })).rejects.toThrow('disconnected')
    expect(await good.send('resume', wellFormed.resume)).toMatchObject({ code: 'group-unknown' })
  })
})

async function server(): Promise<TestClient> {
  return await (await TestServer.start()).connect('alice', 'standup')
}

describe('entering', () => {
  test.each(meetingRequests)('"%s" before it is refused', async (name) => {
    const client = await server()
    expect(await client.send(name, wellFormed[name])).toMatchObject({ code: 'not-entered' })
  })

  test('another meeting than the token’s is refused', async () => {
    const client = await server()
    expect(await client.enter('retro')).toMatchObject({
      code: 'not-permitted',
      detail: 'token-wrong-meeting',
    })
    expect(await standup(client)).toMatchObject({ ok: true })
  })

  test('twice is refused, in the same meeting and in another', async () => {
    const at = await TestServer.start()
    const client = await at.connectWith({ token: await at.token('alice', '*') })
    const [first, second] = await Promise.all([standup(client), standup(client)])
    expect(first).toMatchObject({ ok: true })
    expect(second).toMatchObject({ code: 'already-entered' })
    expect(await client.enter('retro')).toMatchObject({ code: 'already-entered' })
  })

  test.each([0, 2, 99])('with protocol %i is refused', async (protocol) => {
    const client = await server()
    expect(await client.send('enter', { protocol, meetingId: 'standup' })).toMatchObject({
      code: 'protocol-unsupported',
    })
  })

  test('a meeting’s name has at most 256 bytes', async () => {
    const at = await TestServer.start()
    const client = await at.connectWith({ token: await at.token('alice', '*') })
    expect(await client.enter('é'.repeat(129))).toMatchObject({ code: 'request-malformed' })
    expect(await client.enter('é'.repeat(128))).toMatchObject({ ok: true })
  })

  test('requests that follow it at once find the meeting', async () => {
    const alice = await TestMember.arrive(await TestServer.start(), 'alice')
    const founding = await alice.prepareFounding()
    const other = await alice.server.connect('alice', 'standup')
    const [, created] = await Promise.all([standup(other), other.request('create', founding)])
    expect(created).toMatchObject({ ok: true })
  })
})

describe('connecting', () => {
  const refusal = async (auth: (at: TestServer) => Promise<Record<string, unknown>>) => {
    const at = await TestServer.start()
    return await at.connectWith(await auth(at)).then(
      () => 'connected',
      (error: { data?: { code?: string } }) => error.data?.code,
    )
  }

  test.each<[string, string, (at: TestServer) => Promise<Record<string, unknown>>]>([
    ['without a token', 'token-missing', async () => ({})],
    ['with an empty one', 'token-missing', async () => ({ token: '' })],
    ['with something else', 'token-malformed', async () => ({ token: { a: 1 } })],
    [
      'with another server’s',
      'token-signature',
      async () => ({ token: await (await TestServer.start()).token('alice', 'standup') }),
    ],
    [
      'with one that may not join',
      'token-grant-missing',
      async (at) => ({
        token: await at.mint({ identity: 'a', meeting: 'standup', grants: { publish: true } }),
      }),
    ],
  ])('%s is refused', async (_, code, auth) => {
    expect(await refusal(auth)).toBe(code)
  })

  test('with an expired token is refused', async () => {
    const clock = new VirtualClock()
    const at = await TestServer.start({ clock })
    const token = await at.mint({ identity: 'alice', meeting: 'standup', ttlSeconds: 60 })
    clock.advance(60_000)
    await expect(at.connectWith({ token })).rejects.toMatchObject({
      data: { code: 'token-expired' },
    })
  })

  test('beyond the number of connections is refused', async () => {
    const at = await TestServer.start({ limits: { connections: 1 } })
    await at.connect('alice', 'standup')
    await expect(at.connect('bob', 'standup')).rejects.toMatchObject({
      data: { code: 'rate-limited' },
    })
  })
})

describe('too many requests', () => {
  test('are refused until time has passed', async () => {
    const clock = new VirtualClock()
    const at = await TestServer.start({ clock, limits: { requestBurst: 3, requestsPerSecond: 1 } })
    const client = await entered(at)
    const ask = () => client.send('resume', wellFormed.resume)
    expect(await ask()).toMatchObject({ code: 'group-unknown' })
    expect(await ask()).toMatchObject({ code: 'group-unknown' })
    expect(await ask()).toMatchObject({ code: 'rate-limited' })
    clock.advance(1000)
    expect(await ask()).toMatchObject({ code: 'group-unknown' })
  })

  test('at the same time are refused', async () => {
    const at = await TestServer.start({ limits: { pendingRequests: 2 } })
    const client = await entered(at)
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => client.send('resume', wellFormed.resume)),
    )
    expect(replies).toContainEqual(expect.objectContaining({ code: 'rate-limited' }))
    expect(replies).toContainEqual(expect.objectContaining({ code: 'group-unknown' }))
  })

  test('without end cost the connection', async () => {
    const clock = new VirtualClock()
    const at = await TestServer.start({ clock, limits: { requestBurst: 5 } })
    const client = await entered(at)
    for (let i = 0; i < 12; i++) client.send('resume', wellFormed.resume).catch(() => {})
    await eventually('the cut', () => !client.socket.connected)
  })
})

describe('a fault of the keyserver', () => {
  test('is answered, logged without the payload, and holds up nobody', async () => {
    const store = memoryStore()
    let broken = false
    const at = await TestServer.start({
      store: {
        ...store,
        currentGroup: async (meetingId) => {
          if (broken) throw new Error('the disk is full')
          return await store.currentGroup(meetingId)
        },
      },
    })
    const client = await at.connect('alice', 'standup')
    expect(await standup(client)).toMatchObject({ ok: true })
    broken = true
    const secret = utf8('nobody is to read this')
    expect(await client.send('propose', { groupId, message: secret })).toMatchObject({
      code: 'internal',
    })
    broken = false
    expect(await client.send('resume', wellFormed.resume)).toMatchObject({ code: 'group-unknown' })

    const log = at.log.join('')
    expect(log).toContain('the disk is full')
    expect(log).not.toContain('nobody is to read this')
    expect(log).not.toContain(Buffer.from(secret).toString('base64'))
    expect(log).not.toContain(await at.token('alice', 'standup'))
  })

  test('on entering leaves the connection free to try again', async () => {
    const store = memoryStore()
    let unreachable = true
    const at = await TestServer.start({
      store: {
        ...store,
        currentGroup: async (meetingId) => {
          if (unreachable) throw new StoreError('store-unreachable', 'the network is down')
          return await store.currentGroup(meetingId)
        },
      },
    })
    const client = await at.connectWith({ token: await at.token('alice', '*') })
    expect(await standup(client)).toMatchObject({ ok: false, code: 'unavailable' })
    expect(at.keyserver.health().meetings).toBe(0)
    unreachable = false
    expect(await client.enter('retro')).toMatchObject({ ok: true, group: null })
  })
})
