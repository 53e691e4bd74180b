import { encodeVoid, type VoidEntry } from '@conclave/core/delivery'
import { describe, expect, it } from 'vitest'
import { refuse } from './support/port.ts'
import { type Client, Room } from './support/room.ts'

const names = ['alice', 'bob', 'carol', 'dave'] as const
type Four = [Client, Client, Client, Client]

/** A meeting of four in which `committer` makes the next commit, as soon as somebody waits. */
async function meeting(committer = 0): Promise<{ room: Room; clients: Four }> {
  const room = Room.open()
  const clients = (await room.meetingOf(...names)) as Four
  clients.forEach(({ port }, i) => {
    // Of who waits only one is told.
    if (i !== committer) port.notices = (notice) => (notice.name === 'waiting' ? [] : [notice])
  })
  return { room, clients }
}

function blind(...clients: readonly Client[]): void {
  for (const { census } of clients) census.blind = true
}

/** The others can read again what is sealed to them, and know of all who wait. */
function heal(...clients: readonly Client[]): void {
  for (const { census, port } of clients) {
    census.blind = false
    port.notices = (notice) => [notice]
  }
}

function failure({ witness }: Client) {
  const [ended] = witness.ended
  const [lost] = witness.lost
  const { code, detail } = (ended?.error ?? lost ?? {}) as { code?: string; detail?: string }
  return { reason: ended?.reason ?? (lost && 'lost'), code, detail }
}

/** Whether it follows the log no longer. */
function gaveUp({ witness }: Client): boolean {
  return witness.ended.length + witness.lost.length > 0
}

const ofApplied = { reason: 'failed', code: 'log-inapplicable', detail: 'void-of-applied-commit' }
const undecryptable = {
  reason: 'lost',
  code: 'log-inapplicable',
  detail: 'commit-path-undecryptable',
}

describe('a commit that nobody but its maker can apply', () => {
  it('is undone: the others go on from the epoch before, without who had applied it', async () => {
    const { room, clients } = await meeting()
    const [alice, ...others] = clients
    const { epoch } = alice.meeting.view
    blind(...others)
    const erin = room.begin('erin')
    await room.until(() => alice.witness.ended.length === 1)
    await room.rest()
    heal(...others)
    expect(failure(alice)).toEqual(ofApplied)
    // Whoever came by it has applied it too.
    await room.until(() => erin.failure !== undefined || erin.client?.witness.ended.length === 1)
    for (const { witness, meeting, port } of others) {
      expect(meeting.view.epoch).toBe(epoch)
      expect(witness.problems.map(({ code }) => code)).toEqual(['log-inapplicable'])
      expect(port.count('report')).toBe(1)
    }
    const frank = await room.join('frank')
    await room.agreed([...others, frank], [...names, 'frank'])
    expect(others.every(({ witness }) => witness.ended.length === 0)).toBe(true)
  })

  it('is undone also for who comes back meanwhile, and says so again', async () => {
    const { room, clients } = await meeting()
    const [alice, bob, ...others] = clients
    blind(bob, ...others)
    const lost = Promise.withResolvers<never>()
    bob.port.tamper.report = () => lost.promise
    room.begin('erin')
    await room.until(() => others.every(({ port }) => port.count('report') === 1))
    expect(alice.witness.ended).toEqual([])
    delete bob.port.tamper.report
    bob.port.drop()
    bob.port.connect()
    await room.until(() => alice.witness.ended.length === 1)
    await room.rest()
    heal(bob, ...others)
    const frank = await room.join('frank')
    await room.agreed([bob, ...others, frank], [...names, 'frank'])
  })

  it('is undone for who hears of it by being told that its word comes too late', async () => {
    const { room, clients } = await meeting()
    const [, bob, carol, dave] = clients
    blind(bob, carol, dave)
    let others = 0
    const both = Promise.withResolvers<void>()
    for (const { port } of [carol, dave]) {
      port.tamper.report = async (_, honest) => {
        const reply = await honest()
        others += 1
        if (others === 2) both.resolve()
        return reply
      }
    }
    bob.port.tamper.report = async (_, honest) => {
      await both.promise
      await honest()
      return refuse('status-invalid')
    }
    // Nobody else tells it: neither who waits nor what the log has from now on.
    bob.port.notices = (notice) => (notice.name === 'statusWanted' ? [notice] : [])
    const seq = (room.delivery.group?.log.length ?? 0) + 1
    const erin = room.begin('erin')
    await room.until(() => erin.client !== undefined)
    const entry = room.delivery.group?.log[seq - 1]
    if (entry === undefined) throw new Error('there is no commit')
    bob.port.inject({ name: 'entry', notice: { groupId: groupOf(room), entry } })
    await room.until(() => room.delivery.group?.log.length === seq + 1)
    await room.rest()
    heal(bob, carol, dave)
    const frank = await room.join('frank')
    await room.agreed([bob, carol, dave, frank], [...names, 'frank'])
    expect(bob.witness.ended).toEqual([])
  })

  it('leaves a commit of our own that it had overtaken to be accepted after all', async () => {
    const { room, clients } = await meeting()
    const [alice, bob, ...others] = clients
    blind(bob, ...others)
    bob.port.notices = (notice) => [notice]
    const commits = bob.port.count('commit')
    const [sent, undone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    alice.port.tamper.commit = async (_, honest) => {
      await sent.promise
      return honest()
    }
    bob.port.tamper.commit = async (_, honest) => {
      sent.resolve()
      await undone.promise
      return honest()
    }
    room.begin('erin')
    await room.until(() => alice.witness.ended.length === 1)
    await room.rest()
    heal(bob, ...others)
    undone.resolve()
    await room.agreed([bob, ...others], [...names, 'erin'])
    expect(bob.port.count('commit') - commits).toBe(1)
  })
})

describe('a commit that somebody can apply', () => {
  it('stands, whoever else reports it, and is lost on whom it failed', async () => {
    const { room, clients } = await meeting()
    const [alice, bob, carol, dave] = clients
    blind(bob)
    const before = room.clock.now()
    const erin = await room.join('erin')
    await room.until(() => gaveUp(bob))
    expect(failure(bob)).toEqual(undecryptable)
    // At first nobody else had said anything; it has asked again.
    expect(bob.port.count('report')).toBe(2)
    expect(room.clock.now() - before).toBeLessThan(3_000)
    await room.agreed([alice, carol, dave, erin], [...names, 'erin'])
    const given = [alice, carol, dave].map(({ port }) => port.count('report'))
    expect(given).toEqual([0, 1, 1])
  })

  it('is given up at once where that is already known', async () => {
    const { room, clients } = await meeting()
    const [, bob, carol] = clients
    blind(bob)
    const known = Promise.withResolvers<void>()
    carol.port.tamper.report = async (_, honest) => {
      const reply = await honest()
      known.resolve()
      return reply
    }
    bob.port.tamper.report = async (_, honest) => {
      await known.promise
      return honest()
    }
    carol.port.inject({
      name: 'statusWanted',
      notice: { groupId: groupOf(room), seq: (room.delivery.group?.log.length ?? 0) + 1 },
    })
    const before = room.clock.now()
    room.begin('erin')
    await room.until(() => gaveUp(bob))
    expect(failure(bob)).toEqual(undecryptable)
    expect(room.clock.now() - before).toBeLessThan(2_000)
  })
})

describe('where nobody says what becomes of a commit that failed', () => {
  it('the session waits for ten seconds before it enters anew, and commits nothing', async () => {
    const { room, clients } = await meeting()
    const [, bob] = clients
    blind(bob)
    bob.port.tamper.report = () => Promise.resolve({ ok: true, outcome: 'collecting' })
    const erin = room.begin('erin')
    await room.until(() => erin.client !== undefined && bob.port.count('report') === 1)
    const commits = bob.port.count('commit')
    const joiners = [{ ref: Uint8Array.of(1), keyPackage: Uint8Array.of(1) }]
    bob.port.inject({ name: 'waiting', notice: { groupId: groupOf(room), joiners } })
    await room.pass(9_000)
    expect(gaveUp(bob)).toBe(false)
    await room.pass(1_000)
    expect(failure(bob)).toEqual(undecryptable)
    expect(bob.port.count('commit')).toBe(commits)
  })

  it.each(['rate-limited', 'unavailable'] as const)(
    'a report refused with %s is repeated',
    async (code) => {
      const { room, clients } = await meeting()
      const [, bob] = clients
      blind(bob)
      bob.port.tamper.report = () => Promise.resolve(refuse(code))
      room.begin('erin')
      await room.until(() => gaveUp(bob))
      expect(failure(bob)).toEqual(undecryptable)
      const reports = bob.port.count('report')
      expect(reports).toBeGreaterThan(8)
      expect(reports).toBeLessThanOrEqual(11)
    },
  )

  it.each(['status-invalid', 'not-permitted', 'stands', 'voided'] as const)(
    'a report answered with %s ends the waiting, where the log says nothing else',
    async (answer) => {
      const { room, clients } = await meeting()
      const [, bob] = clients
      blind(bob)
      bob.port.tamper.report = () =>
        Promise.resolve(
          answer === 'stands' || answer === 'voided'
            ? { ok: true, outcome: answer }
            : refuse(answer),
        )
      const before = room.clock.now()
      room.begin('erin')
      await room.until(() => gaveUp(bob))
      expect(failure(bob)).toEqual(undecryptable)
      expect(room.clock.now() - before).toBeLessThan(2_000)
    },
  )

  it('a keyserver of the first version is not asked: the session enters anew', async () => {
    const room = Room.open()
    room.delivery.minor = 0
    const clients = (await room.meetingOf(...names)) as Four
    blind(...clients)
    room.begin('erin')
    await room.until(() => clients.filter(gaveUp).length === 3)
    for (const client of clients) {
      expect(client.port.count('report')).toBe(0)
      if (gaveUp(client)) expect(failure(client)).toEqual(undecryptable)
    }
  })
})

describe('a keyserver that lies about what has failed', () => {
  it.each<[string, VoidEntry['statuses']]>([
    ['with signatures of nobody', []],
    ['with a forged signature', [{ leafIndex: 1, signature: new Uint8Array(64) }]],
  ])('undoes nothing that was applied, %s', async (_, statuses) => {
    const { room, clients } = await meeting()
    const erin = await room.join('erin')
    await room.agreed([...clients, erin], [...names, 'erin'])
    const seq = room.delivery.group?.log.length ?? 0
    room.delivery.append(encodeVoid(seq, statuses))
    await room.until(() => [...clients, erin].every(({ witness }) => witness.ended.length === 1))
    for (const client of [...clients, erin]) expect(failure(client)).toEqual(ofApplied)
  })

  it('undoes nothing but the last entry', async () => {
    const { room, clients } = await meeting()
    room.delivery.append(encodeVoid(1, []))
    await room.until(() => clients.every(gaveUp))
    for (const client of clients) {
      expect(failure(client)).toMatchObject({ detail: 'void-not-of-head' })
    }
  })

  type Statuses = (given: VoidEntry['statuses'][number], bob: Client) => VoidEntry['statuses']
  it.each<[string, Statuses, string]>([
    [
      'a forged signature',
      ({ leafIndex }) => [{ leafIndex, signature: new Uint8Array(64) }],
      'void-signature-invalid',
    ],
    ['one signature twice', (given) => [given, given], 'void-signer-twice'],
    [
      "a signature in the committer's name",
      ({ signature }) => [{ leafIndex: 0, signature }],
      'void-signer-committer',
    ],
    [
      "the name of nobody's leaf",
      ({ signature }) => [{ leafIndex: 9, signature }],
      'void-signer-unknown',
    ],
    ['no signature', () => [], 'void-unsigned'],
  ])('is not believed with %s', async (_, statuses, detail) => {
    const { room, clients } = await meeting()
    const [, bob] = clients
    blind(bob)
    bob.port.tamper.report = async ({ seq, leafIndex, signature }) => {
      const message = encodeVoid(seq, statuses({ leafIndex, signature }, bob))
      const entry = { seq: seq + 1, message }
      bob.port.inject({ name: 'entry', notice: { groupId: groupOf(room), entry } })
      return { ok: true, outcome: 'collecting' }
    }
    room.begin('erin')
    await room.until(() => gaveUp(bob))
    expect(failure(bob)).toEqual({ reason: 'lost', code: 'log-inapplicable', detail })
  })

  it('gets one status of an entry for any number of questions, and none of another', async () => {
    const { room, clients } = await meeting()
    const erin = await room.join('erin')
    await room.agreed([...clients, erin], [...names, 'erin'])
    const groupId = groupOf(room)
    const head = room.delivery.group?.log.length ?? 0
    for (let round = 0; round < 20; round++) {
      for (const { port } of clients) {
        for (const seq of [head, head - 1, head + 1, 2 ** 40]) {
          port.inject({ name: 'statusWanted', notice: { groupId, seq } })
          await room.rest()
        }
      }
    }
    // What one says of its own commit is nothing that anybody could rely on.
    expect(clients.map(({ port }) => port.count('report'))).toEqual([0, 1, 1, 1])
    expect(clients.every(({ witness }) => witness.ended.length === 0)).toBe(true)
  })
})

function groupOf({ delivery }: Room): Uint8Array<ArrayBuffer> {
  return delivery.group?.groupId ?? new Uint8Array()
}
