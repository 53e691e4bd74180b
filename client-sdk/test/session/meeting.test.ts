import { afterEach, describe, expect, it } from 'vitest'
import type { SecureMeeting } from '../../src/index.ts'
import { startKeyserver, type TestServer } from './keyserver.ts'

let server: TestServer
afterEach(() => server.close())

function identities(meeting: SecureMeeting): string[] {
  return meeting.view.members.map(({ identity }) => identity).sort()
}

async function agreed(meetings: readonly SecureMeeting[], members: readonly string[]) {
  await expect
    .poll(() => meetings.map(identities), { timeout: 20_000 })
    .toEqual(meetings.map(() => [...members].sort()))
  const codes = new Set(meetings.map(({ view }) => `${view.epoch} ${view.safetyCode}`))
  expect(codes.size).toBe(1)
}

describe('a meeting over a real keyserver', () => {
  it('is founded by the first and joined by the others, who see the same safety code', async () => {
    server = await startKeyserver()
    const alice = await server.join('alice')
    const bob = await server.join('bob')
    const carol = await server.join('carol')
    await agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    expect(alice.view.safetyCode).toMatch(/^(\d{5} ){5}\d{5}$/)
  })
})
