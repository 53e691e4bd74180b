import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Access, resolveAccess } from '@conclave/core/access'
import { createSfu } from '@conclave/sfu'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  memorySessionStore,
  type SecureMeeting,
  systemClock,
  systemRandom,
} from '../../src/index.ts'
import { startKeyserver, type TestServer } from './keyserver.ts'
import { agree } from './support/witness.ts'

/** For a loaded machine; nothing here takes that long. */
const patience = { timeout: 20_000, interval: 10 }

async function agreed(meetings: readonly SecureMeeting[], members: readonly string[]) {
  await expect.poll(() => agree(meetings, members), patience).toBe(true)
}

function heard(server: TestServer, meeting: SecureMeeting) {
  return server.witness(meeting).chat
}

/** An SFU that relays to this keyserver; its URL. */
async function relayTo(keyserver: string, access: Access): Promise<string> {
  const httpServer = createServer()
  httpServer.listen(0, '127.0.0.1')
  await once(httpServer, 'listening')
  const sfu = await createSfu({
    httpServer,
    access,
    keyserver: { url: keyserver },
    media: { workers: 0, addresses: [{ ip: '127.0.0.1' }] },
    clock: systemClock,
    logger: pino({ level: 'silent' }),
  })
  onTestFinished(async () => {
    await sfu.close()
    httpServer.close()
    httpServer.closeAllConnections()
  })
  return `http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`
}

describe('messages over a real keyserver', () => {
  it('are read by those who are members when they are sent, and by nobody else', async () => {
    const server = await startKeyserver()
    const alice = await server.join('alice')
    const bob = await server.join('bob')
    const carol = await server.join('carol')
    await agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    const to = await alice.send({ text: 'before' })
    await bob.react({ to, emoji: '👍' })
    const before = ['alice: before', `bob: 👍 of ${to}`]
    await expect.poll(() => heard(server, carol), patience).toEqual(before)
    await carol.leave()
    await agreed([alice, bob], ['alice', 'bob'])
    await alice.send({ text: 'without carol' })
    const dave = await server.join('dave')
    await agreed([alice, bob, dave], ['alice', 'bob', 'dave'])
    await alice.send({ text: 'after' })
    await expect.poll(() => heard(server, dave), patience).toEqual(['alice: after'])
    await expect
      .poll(() => heard(server, bob), patience)
      .toEqual(['alice: before', 'alice: without carol', 'alice: after'])
    expect(heard(server, carol)).toEqual(before)
    await expect(carol.send({ text: 'let me back in' })).rejects.toMatchObject({
      code: 'session-ended',
    })
  })

  it('pass through an SFU that relays them unread', async () => {
    const randomBytes = systemRandom
    const access = await resolveAccess({ host: '127.0.0.1', clock: systemClock, randomBytes })
    if (access.mode !== 'development') throw new Error('tests mint their own tokens')
    const server = await startKeyserver({ access })
    const sfu = await relayTo(server.url, access)
    const alice = await server.join('alice', { keyserver: sfu })
    const bob = await server.join('bob', { keyserver: sfu })
    const carol = await server.join('carol')
    await agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    await alice.send({ text: 'by the SFU' })
    for (const meeting of [bob, carol]) {
      await expect.poll(() => heard(server, meeting), patience).toEqual(['alice: by the SFU'])
    }
  })

  it('arrive while others come and go, each once and in order', async () => {
    const server = await startKeyserver()
    const alice = await server.join('alice')
    const bob = await server.join('bob')
    await agreed([alice, bob], ['alice', 'bob'])
    const texts = Array.from({ length: 15 }, (_, i) => `${i}`)
    const churn = (async () => {
      for (const name of ['carol', 'dave']) {
        const guest = await server.join(name, { store: memorySessionStore() })
        await guest.leave()
      }
    })()
    await Promise.all(texts.map((text) => alice.send({ text })))
    await churn
    const said = texts.map((text) => `alice: ${text}`)
    await expect.poll(() => heard(server, bob), patience).toEqual(said)
  })
})
