import { describe, expect, it } from 'vitest'
import type { SecureMeeting } from '../../src/index.ts'
import { startKeyserver, type TestServer } from './keyserver.ts'
import { wireTo } from './support/network.ts'
import { agree, identities } from './support/witness.ts'

/** For a loaded machine; nothing here takes that long. */
const patience = { timeout: 20_000, interval: 10 }
/** Long enough for whoever has just been added to say that it is there. */
const shortGraceMs = 1_500

async function agreed(meetings: readonly SecureMeeting[], members: readonly string[]) {
  await expect.poll(() => agree(meetings, members), patience).toBe(true)
}

async function ended(server: TestServer, meetings: readonly SecureMeeting[]) {
  await expect
    .poll(() => meetings.every((m) => server.witness(m).ended.length === 1), patience)
    .toBe(true)
}

describe('a client whose network fails', () => {
  it('is removed after the grace period, and the others rotate', async () => {
    const server = await startKeyserver({ graceMs: shortGraceMs })
    const wire = await wireTo(server.url)
    const alice = await server.join('alice')
    const bob = await server.join('bob')
    const carol = await server.join('carol', { keyserver: wire.url })
    await agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    const { epoch } = alice.view
    wire.cut()
    await agreed([alice, bob], ['alice', 'bob'])
    expect(alice.view.epoch).toBeGreaterThan(epoch)
    expect(server.witness(alice).left).toEqual(['carol'])
    expect(server.witness(carol).ended).toEqual([])
    // Back again, it learns that it is not a member any more, and becomes one.
    wire.mend()
    await agreed([alice, bob, carol], ['alice', 'bob', 'carol'])
    expect(server.witness(carol).lost).toMatchObject([{ code: 'removed-while-away' }])
    expect(server.witness(carol).ended).toEqual([])
    expect(server.witness(alice).joined).toContain('carol')
  })

  it('that comes back in time has missed nothing and is not removed', async () => {
    const server = await startKeyserver()
    const wire = await wireTo(server.url)
    const alice = await server.join('alice')
    const bob = await server.join('bob', { keyserver: wire.url })
    await agreed([alice, bob], ['alice', 'bob'])
    wire.cut()
    await expect.poll(() => server.witness(bob).connection, patience).toEqual([false])
    const carol = await server.join('carol')
    const dan = await server.join('dan')
    await carol.leave()
    await agreed([alice, dan], ['alice', 'bob', 'dan'])
    expect(bob.view.epoch).toBeLessThan(alice.view.epoch)
    wire.mend()
    await agreed([alice, bob, dan], ['alice', 'bob', 'dan'])
    const witness = server.witness(bob)
    const epochs = witness.epochs.map(({ epoch }) => epoch)
    expect(epochs).toEqual([...epochs].sort((a, b) => Number(a - b)))
    expect(epochs.at(-1)).toBe(alice.view.epoch)
    expect(witness.joined).toEqual(expect.arrayContaining(['carol', 'dan']))
    expect(witness.left).toEqual(['carol'])
    expect(witness.connection).toEqual([false, true])
    expect(witness.ended).toEqual([])
  })

  it('while it waits to be let in gets in when it is back', async () => {
    const server = await startKeyserver()
    const founders = await wireTo(server.url)
    const joiners = await wireTo(server.url)
    const alice = await server.join('alice', { keyserver: founders.url })
    founders.cut()
    await expect.poll(() => server.connections, patience).toBe(0)
    const joining = server.join('bob', { keyserver: joiners.url })
    await expect.poll(() => server.connections, patience).toBe(1)
    joiners.cut()
    await expect.poll(() => server.connections, patience).toBe(0)
    joiners.mend()
    founders.mend()
    const bob = await joining
    await agreed([alice, bob], ['alice', 'bob'])
  })

  it('who comes where nobody can let it in commits itself in', async () => {
    const server = await startKeyserver()
    const wire = await wireTo(server.url)
    const alice = await server.join('alice', { keyserver: wire.url })
    wire.cut()
    await expect.poll(() => server.connections, patience).toBe(0)
    const stages: string[] = []
    const bob = await server.join('bob', { onProgress: ({ stage }) => stages.push(stage) })
    expect(stages).toEqual(['authorised', 'committing'])
    wire.mend()
    await agreed([alice, bob], ['alice', 'bob'])
  })

  it('leaves at once when it is asked to while it is cut off', async () => {
    const server = await startKeyserver()
    const wire = await wireTo(server.url)
    const alice = await server.join('alice', { keyserver: wire.url })
    wire.cut()
    await expect.poll(() => server.witness(alice).connection, patience).toEqual([false])
    const started = performance.now()
    await alice.leave()
    expect(performance.now() - started).toBeLessThan(1_000)
    expect(server.witness(alice).ended).toHaveLength(1)
  })
})

describe('a keyserver that goes away', () => {
  it('ends the meeting when it says so', async () => {
    const server = await startKeyserver()
    const meetings = await Promise.all(['alice', 'bob'].map((name) => server.join(name)))
    await server.close()
    await ended(server, meetings)
    for (const meeting of meetings) {
      expect(server.witness(meeting).ended[0]).toMatchObject({
        reason: 'closed',
        error: { code: 'meeting-closed' },
      })
    }
  })

  it('and comes back without its meetings ends them too', async () => {
    const server = await startKeyserver()
    const wire = await wireTo(server.url)
    const meetings = await Promise.all(
      ['alice', 'bob'].map((name) => server.join(name, { keyserver: wire.url })),
    )
    wire.cut()
    const successor = await server.successor()
    wire.mend(successor.url)
    await ended(server, meetings)
    const reasons = meetings.map((meeting) => server.witness(meeting).ended[0]?.reason)
    expect(reasons).toEqual(['closed', 'closed'])
    const again = await successor.join('alice')
    expect(identities(again)).toEqual(['alice'])
  })
})

describe('a meeting that everybody has left', () => {
  it('is founded anew by whoever comes next, with another group', async () => {
    const server = await startKeyserver({ graceMs: 300 })
    const alice = await server.join('alice')
    const { safetyCode } = alice.view
    await alice.leave()
    const bob = await server.join('bob')
    expect(bob.view.epoch).toBe(0n)
    expect(identities(bob)).toEqual(['bob'])
    expect(bob.view.safetyCode).not.toBe(safetyCode)
  })

  it('is founded by one of those who wait when its group ends', async () => {
    const server = await startKeyserver({ graceMs: shortGraceMs })
    const wire = await wireTo(server.url)
    await server.join('alice', { keyserver: wire.url })
    wire.cut()
    const names = ['bob', 'carol', 'dan']
    const meetings = await Promise.all(names.map((name) => server.join(name)))
    await agreed(meetings, names)
  })
})
