import { generateRemovalSigner, memoryStore, type Store } from '@conclave/keyserver'
import { describe, expect, it } from 'vitest'
import type { SecureMeeting } from '../../src/index.ts'
import { startKeyserver, type TestServer } from './keyserver.ts'
import { Census } from './support/census.ts'
import { wireTo } from './support/network.ts'
import { agree } from './support/witness.ts'

/** For a loaded machine; nothing here takes that long. */
const patience = { timeout: 20_000, interval: 10 }

async function agreed(meetings: readonly SecureMeeting[], members: readonly string[]) {
  await expect.poll(() => agree(meetings, members), patience).toBe(true)
}

/** Joins with eyes that can be shut: then one commit cannot be read, and only that one. */
async function joinWithEyes(server: TestServer, identity: string) {
  const census = new Census()
  const meeting = await server.join(identity, { crypto: census.crypto })
  meeting.on('problem', () => {
    census.blind = false
  })
  return { identity, meeting, census, witness: server.witness(meeting) }
}

type Person = Awaited<ReturnType<typeof joinWithEyes>>

describe('with a real keyserver', () => {
  it('a commit that nobody but its maker can apply is undone, and the others go on', async () => {
    const server = await startKeyserver({ graceMs: 1_500 })
    const people: Person[] = []
    for (const name of ['alice', 'bob', 'carol', 'dave']) {
      people.push(await joinWithEyes(server, name))
    }
    await agreed(
      people.map(({ meeting }) => meeting),
      ['alice', 'bob', 'carol', 'dave'],
    )
    const [dave, ...others] = people.reverse()
    for (const { census } of others) census.blind = true
    await dave?.meeting.leave()
    await expect
      .poll(() => others.filter(({ witness }) => witness.ended.length > 0).length, patience)
      .toBe(1)
    const committer = others.find(({ witness }) => witness.ended.length > 0)
    expect(committer?.witness.ended[0]).toMatchObject({
      reason: 'failed',
      error: { code: 'log-inapplicable', detail: 'void-of-applied-commit' },
    })
    // The two that are left remove both: who wanted to leave, and who has ended.
    const left = others.filter((person) => person !== committer)
    await agreed(
      left.map(({ meeting }) => meeting),
      left.map(({ identity }) => identity),
    )
    for (const { witness } of left) {
      expect(witness.ended).toEqual([])
      expect(witness.problems.map(({ code }) => code)).toEqual(['log-inapplicable'])
    }
  })

  it('a commit that one of them can apply stands, and for whom it failed enters anew', async () => {
    const server = await startKeyserver({ graceMs: 1_500 })
    const names = ['alice', 'bob', 'carol', 'dave', 'erin']
    const people: Person[] = []
    for (const name of names) people.push(await joinWithEyes(server, name))
    await agreed(
      people.map(({ meeting }) => meeting),
      names,
    )
    const erin = people.pop()
    const leaves = new Map(people.map(({ identity, meeting }) => [identity, meeting.self.leaf]))
    // Whoever commits, somebody else can read it and somebody cannot.
    for (const { census } of people.slice(0, 2)) census.blind = true
    await erin?.meeting.leave()
    const hasFailed = ({ witness }: Person) => witness.lost.length > 0
    await expect.poll(() => people.some(hasFailed), patience).toBe(true)
    for (const { census } of people) census.blind = false
    await agreed(
      people.map(({ meeting }) => meeting),
      people.map(({ identity }) => identity),
    )
    for (const { witness } of people.filter(hasFailed)) {
      expect(witness.lost).toMatchObject([
        { code: 'log-inapplicable', detail: 'commit-path-undecryptable' },
      ])
    }
    for (const { identity, meeting, witness } of people) {
      expect(witness.ended).toEqual([])
      expect(meeting.self.leaf).toBe(leaves.get(identity))
      expect(witness.left).toEqual(['erin'])
    }
  })

  it('what it has lost is given back, and everybody goes on where they were', async () => {
    const { store, replica, cut } = replicated()
    const removalSigner = await generateRemovalSigner(globalThis.crypto.subtle)
    const server = await startKeyserver({ store, removalSigner })
    const wire = await wireTo(server.url)
    const meetings: SecureMeeting[] = []
    const join = async (name: string) => {
      meetings.push(await server.join(name, { keyserver: wire.url }))
    }
    for (const name of ['alice', 'bob', 'carol']) await join(name)
    await agreed(meetings, ['alice', 'bob', 'carol'])
    cut()
    for (const name of ['dave', 'erin']) await join(name)
    const all = ['alice', 'bob', 'carol', 'dave', 'erin']
    await agreed(meetings, all)
    const epoch = meetings[0]?.view.epoch
    wire.cut()
    const successor = await server.successor({ store: replica })
    wire.mend(successor.url)
    const frank = await successor.join('frank')
    await agreed([...meetings, frank], [...all, 'frank'])
    expect(frank.view.epoch).toBe((epoch ?? 0n) + 1n)
    for (const meeting of meetings) expect(server.witness(meeting).ended).toEqual([])
  })
})

/** A store and another that has all that went into it until it was cut off, as a replica has. */
function replicated(): { readonly store: Store; readonly replica: Store; cut(): void } {
  const primary = memoryStore()
  const replica = memoryStore()
  let following = true
  const store = new Proxy(primary, {
    get: (target, name: keyof Store) => {
      const member = target[name]
      if (typeof member !== 'function') return member
      return async (...args: never[]) => {
        const step = member as (...args: never[]) => unknown
        const copied = following && name !== 'close'
        const outcome = await step.apply(target, args)
        if (copied) await (replica[name] as typeof step).apply(replica, args)
        return outcome
      }
    },
  })
  return {
    store,
    replica,
    cut: () => {
      following = false
    },
  }
}
