import { decode, emptyBytes } from '@conclave/core/codec'
import type { Group, PendingCommit } from '@conclave/core/mls/group'
import { type KeyPackage, MlsMessage, ProposalType, WireFormat } from '@conclave/core/wire'
import { describe, expect, it } from 'vitest'
import { Membership } from '../../src/session/membership.ts'
import { WaitingList } from '../../src/session/waitingList.ts'
import { clock, envelope, Gathering, joinerOf } from './support/people.ts'

/** The commit of one who knows nothing of the epoch's proposals, or pretends to. */
async function commitBy(group: Group, seen: number): Promise<Uint8Array<ArrayBuffer>> {
  const pending = await group.commit({ authenticatedData: envelope(seen) })
  return pending.message
}

function exporterOf(group: Group): () => unknown {
  return () => group.exportSecret('test', emptyBytes, 16)
}

describe('taking in the log', () => {
  it('a commit begins an epoch, and the old one is wiped', async () => {
    const gathering = await Gathering.of(3)
    const membership = new Membership(gathering.group(1), 0)
    const before = membership.group
    const message = await commitBy(gathering.group(0), 0)
    expect(await membership.apply({ seq: 1, message })).toMatchObject({ kind: 'epoch' })
    expect(membership.group.epoch).toBe(before.epoch + 1n)
    expect(membership.lastSeq).toBe(1)
    expect(exporterOf(before)).toThrow(expect.objectContaining({ code: 'group-superseded' }))
  })

  it('a commit that removes us is the end', async () => {
    const gathering = await Gathering.of(3)
    const membership = new Membership(gathering.group(1), 0)
    const removal = await gathering.removalOf(1)
    await gathering.group(0).receive(removal)
    expect(await membership.apply({ seq: 1, message: removal })).toEqual({ kind: 'proposal' })
    const message = await commitBy(gathering.group(0), 1)
    expect(await membership.apply({ seq: 2, message })).toMatchObject({ kind: 'removed' })
    expect(exporterOf(membership.group)).toThrow(expect.objectContaining({ code: 'group-left' }))
  })

  it('our own commit is confirmed where the log has it, and discarded where it has another', async () => {
    const gathering = await Gathering.of(3)
    const [winner, loser] = [
      new Membership(gathering.group(0), 0),
      new Membership(gathering.group(1), 0),
    ]
    for (const membership of [winner, loser]) {
      membership.waitingList.update(await joinerOf(clock, 1))
    }
    const won = await winner.makeCommit()
    const lost = await loser.makeCommit()
    const message = won?.message ?? emptyBytes
    expect(await winner.apply({ seq: 1, message })).toMatchObject({ kind: 'epoch' })
    expect(await loser.apply({ seq: 1, message })).toMatchObject({ kind: 'epoch' })
    expect([winner.pending, loser.pending]).toEqual([undefined, undefined])
    expect(() => lost?.discard()).toThrow(
      expect.objectContaining({ code: 'pending-commit-settled' }),
    )
    expect(winner.group.epochAuthenticator).toEqual(loser.group.epochAuthenticator)
  })

  it.each([
    ['rubbish', () => Uint8Array.of(1, 2, 3), 'codec-unknown-case'],
    ['nothing', () => emptyBytes, 'codec-truncated'],
  ] as const)('%s is ignored and changes nothing', async (_, message, code) => {
    const gathering = await Gathering.of(2)
    const membership = new Membership(gathering.group(0), 0)
    const outcome = await membership.apply({ seq: 1, message: message() })
    expect(outcome).toMatchObject({ kind: 'ignored', error: { code } })
    expect(exporterOf(membership.group)).not.toThrow()
  })

  it('a commit whose sender does not say what it had seen does not apply', async () => {
    const gathering = await Gathering.of(2)
    const membership = new Membership(gathering.group(1), 0)
    const pending = await gathering.group(0).commit({ authenticatedData: Uint8Array.of(1) })
    const outcome = await membership.apply({ seq: 1, message: pending.message })
    expect(outcome).toMatchObject({ kind: 'failed', error: { code: 'codec-truncated' } })
  })

  it('a commit of ours that we know nothing of does not apply', async () => {
    const gathering = await Gathering.of(2)
    const membership = new Membership(gathering.group(1), 0)
    const message = await commitBy(gathering.group(1), 0)
    const outcome = await membership.apply({ seq: 1, message })
    expect(outcome).toMatchObject({ kind: 'failed' })
  })
})

describe('a removal that somebody stalls', () => {
  it('a commit that leaves out what its sender had seen does not apply', async () => {
    const gathering = await Gathering.of(3)
    const membership = new Membership(gathering.group(1), 0)
    await membership.apply({ seq: 1, message: await gathering.removalOf(2) })
    const message = await commitBy(gathering.group(0), 1)
    expect(await membership.apply({ seq: 2, message })).toMatchObject({
      kind: 'failed',
      error: { code: 'log-inapplicable', detail: 'commit-omits-removal' },
    })
  })

  it('a commit that crossed the removal on its way applies, a second such one does not', async () => {
    const gathering = await Gathering.of(3)
    const membership = new Membership(gathering.group(1), 0)
    let [malicious] = gathering.groups as [Group]
    for (const expected of ['epoch', 'failed']) {
      const seen = membership.lastSeq
      const removal = await gathering.removalOf(2, membership.group)
      await membership.apply({ seq: seen + 1, message: removal })
      const pending = await malicious.commit({ authenticatedData: envelope(seen) })
      const outcome = await membership.apply({ seq: seen + 2, message: pending.message })
      expect(outcome.kind).toBe(expected)
      if (outcome.kind === 'epoch') malicious = malicious.confirm(pending)
      else expect(outcome).toMatchObject({ error: { detail: 'commit-lags' } })
    }
  })

  it('the one to be removed can commit nothing', async () => {
    const gathering = await Gathering.of(3)
    const membership = new Membership(gathering.group(1), 0)
    await membership.apply({ seq: 1, message: await gathering.removalOf(2) })
    const message = await commitBy(gathering.group(2), 0)
    expect(await membership.apply({ seq: 2, message })).toMatchObject({
      kind: 'failed',
      error: { detail: 'committer-pending-removal' },
    })
  })

  it('our own commit removes whoever is to be removed, and says what we had seen', async () => {
    const gathering = await Gathering.of(3)
    const [maker, other] = [
      new Membership(gathering.group(0), 0),
      new Membership(gathering.group(1), 0),
    ]
    const removal = await gathering.removalOf(2)
    await Promise.all([maker, other].map((m) => m.apply({ seq: 1, message: removal })))
    expect(maker.hasWork).toBe(true)
    const pending = await maker.makeCommit()
    const outcome = await other.apply({ seq: 2, message: pending?.message ?? emptyBytes })
    expect(outcome).toMatchObject({ kind: 'epoch', effect: { removed: [2] } })
  })
})

describe('making a commit', () => {
  it('there is no work, and no commit, where nobody waits and nothing was proposed', async () => {
    const gathering = await Gathering.of(2)
    const membership = new Membership(gathering.group(0), 0)
    expect(membership.hasWork).toBe(false)
    expect(await membership.makeCommit()).toBeUndefined()
  })

  it('there is no work once nobody who waits has turned out to be fit', async () => {
    const gathering = await Gathering.of(2)
    const membership = new Membership(gathering.group(0), 0)
    membership.waitingList.update([{ ref: Uint8Array.of(1), keyPackage: Uint8Array.of(1) }])
    expect(membership.hasWork).toBe(true)
    expect(await membership.makeCommit()).toBeUndefined()
    expect(membership.hasWork).toBe(false)
    expect(membership.pending).toBeUndefined()
  })

  it('those who wait are added at once, as many as a commit may hold', async () => {
    const gathering = await Gathering.of(2)
    const membership = new Membership(gathering.group(0), 0)
    const joiners = await joinerOf(clock, 257)
    membership.waitingList.update(joiners)
    const pending = await membership.makeCommit()
    expect(pending?.effect.added).toHaveLength(256)
    expect(pending?.message.length).toBeLessThan(1 << 20)
    expect(pending?.welcome?.length).toBeLessThan(1 << 20)
  })

  it('a joiner whom a member has proposed too is added once', async () => {
    const gathering = await Gathering.of(3)
    const membership = new Membership(gathering.group(0), 0)
    const joiners = await joinerOf(clock, 5)
    const keyPackage = keyPackageIn(joiners[3]?.keyPackage ?? emptyBytes)
    const proposal = { proposalType: ProposalType.add, keyPackage } as const
    const message = await gathering.group(1).propose(proposal)
    expect(await membership.apply({ seq: 1, message })).toEqual({ kind: 'proposal' })
    membership.waitingList.update(joiners)
    const pending = await membership.makeCommit()
    const added = pending?.effect.added.map((member) => member.keyPackage.initKey.join()) ?? []
    expect(added).toContain(keyPackage.initKey.join())
    expect(new Set(added).size).toBe(added.length)
  })

  it('nobody is added to a group that is full, and that is no reason to commit', async () => {
    const list = new WaitingList()
    list.update(await joinerOf(clock, 1))
    const occupied = (memberCount: number, removals: number[] = []) =>
      list.hasCandidates({ tree: { memberCount }, pendingRemovals: new Set(removals) })
    expect(occupied(1023)).toBe(true)
    expect(occupied(1024)).toBe(false)
    expect(occupied(1025)).toBe(false)
    expect(occupied(1024, [7])).toBe(true)
  })
})

describe('closing', () => {
  it('just when a commit has been taken in wipes the epoch that it leads to', async () => {
    const gathering = await Gathering.of(2)
    const real = gathering.group(1)
    let next: Group | undefined
    const receive = async (message: Uint8Array<ArrayBuffer>) => {
      const received = await real.receive(message)
      if (received.kind === 'commit') next = received.group
      membership.close()
      return received
    }
    const watched = { public: real.public, receive, close: () => real.close() }
    const membership = new Membership(watched as unknown as Group, 0)
    const message = await commitBy(gathering.group(0), 0)
    await expect(membership.apply({ seq: 1, message })).rejects.toMatchObject({
      code: 'session-ended',
    })
    if (next === undefined) throw new Error('the commit was not taken in')
    expect(exporterOf(next)).toThrow(expect.objectContaining({ code: 'group-left' }))
  })

  it('just when a commit has been made discards it', async () => {
    const gathering = await Gathering.of(2)
    const real = gathering.group(0)
    let made: PendingCommit | undefined
    const commit = async (options: Parameters<Group['commit']>[0]) => {
      made = await real.commit(options)
      membership.close()
      return made
    }
    const watched = {
      public: real.public,
      leafIndex: real.leafIndex,
      commit,
      close: () => real.close(),
    }
    const membership = new Membership(watched as unknown as Group, 0)
    membership.waitingList.update(await joinerOf(clock, 1))
    await expect(membership.makeCommit()).rejects.toMatchObject({ code: 'session-ended' })
    expect(() => made?.discard()).toThrow(
      expect.objectContaining({ code: 'pending-commit-settled' }),
    )
  })

  it('while a commit is being made discards it', async () => {
    const gathering = await Gathering.of(2)
    const membership = new Membership(gathering.group(0), 0)
    membership.waitingList.update(await joinerOf(clock, 1))
    const making = membership.makeCommit()
    await new Promise((resolve) => setImmediate(resolve))
    membership.close()
    await expect(making).rejects.toMatchObject({ name: expect.stringMatching(/Error$/) })
    expect(membership.pending).toBeUndefined()
  })

  it('may be done twice', async () => {
    const gathering = await Gathering.of(1)
    const membership = new Membership(gathering.group(0), 0)
    membership.close()
    membership.close()
    expect(exporterOf(membership.group)).toThrow(expect.objectContaining({ code: 'group-left' }))
  })
})

function keyPackageIn(encoded: Uint8Array<ArrayBuffer>): KeyPackage {
  const message = decode(MlsMessage, encoded)
  if (message.wireFormat !== WireFormat.keyPackage) throw new Error('no KeyPackage')
  return message.keyPackage
}
