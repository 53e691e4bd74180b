import { describe, expect, it } from 'vitest'
import { utf8 } from '../../src/codec/bytes.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { ProposalType } from '../../src/wire/registry.ts'
import { groupAfter, Party, type PartyOptions, remove, viewOf } from './party.ts'
import { refusal } from './refusals.ts'

const permissive: PartyOptions = { policy: permissivePolicy, extensions: [] }
const selfRemove = { proposalType: ProposalType.selfRemove } as const

function threesome(): Promise<Party> {
  return Party.of(['alice', 'bob', 'carol'], permissive)
}

describe('a message that is not for now', () => {
  it('is our own, if we have committed or encrypted it', async () => {
    const party = await threesome()
    const alice = party.group('alice')
    const own = { kind: 'own', error: { code: 'message-own' } }
    expect(await alice.receive(await alice.protect(utf8('hello')))).toMatchObject(own)
    for (const encrypted of [false, true]) {
      const { message } = await alice.commit({ encrypted })
      expect(await alice.receive(message)).toMatchObject(own)
    }
    expect(
      await alice.receive(await alice.propose(remove(party.leaf('carol')), { encrypted: true })),
    ).toMatchObject(own)
  })

  it('is a duplicate, if it has been taken in this epoch', async () => {
    const party = await threesome()
    const bob = party.group('bob')
    const data = await party.group('alice').protect(utf8('hello'))
    const proposal = await party.group('alice').propose(selfRemove)
    const sealed = await party
      .group('carol')
      .propose(remove(party.leaf('carol')), { encrypted: true })
    for (const message of [data, proposal, sealed]) await bob.receive(message)
    const before = viewOf(bob)
    for (const [message, code] of [
      [data, 'message-key-consumed'],
      [proposal, 'message-known'],
      [sealed, 'message-key-consumed'],
    ] as const) {
      expect(await bob.receive(message)).toMatchObject({ kind: 'duplicate', error: { code } })
    }
    expect(viewOf(bob)).toEqual(before)
  })

  it('is of a past epoch, if it is a handshake or too late to be opened', async () => {
    const party = await threesome()
    const handshake = await party.group('alice').propose(selfRemove)
    const sealed = await party
      .group('bob')
      .propose(remove(party.leaf('carol')), { encrypted: true })
    const data = await party.group('carol').protect(utf8('hello'))
    await party.commit('carol')
    const past = { kind: 'past-epoch', error: { code: 'message-epoch-past' } }
    for (const message of [handshake, sealed]) {
      expect(await party.group('alice').receive(message)).toMatchObject(past)
    }
    party.clock.advance(3_600_000)
    expect(await party.group('alice').receive(data)).toMatchObject(past)
  })

  it('is of a future epoch, and is taken in once that has come', async () => {
    const party = await threesome()
    const carol = party.group('carol')
    const others = party.others('carol')
    const { message } = await party.group('alice').commit()
    party.participants = [...others]
    await party.deliver(message, [party.at('bob')])
    const early = await party.group('bob').protect(utf8('early'))
    expect(await carol.receive(early)).toMatchObject({
      kind: 'future-epoch',
      kept: true,
      error: { code: 'message-epoch-future' },
    })
    expect(await carol.receiveKept()).toBeUndefined()
    const next = groupAfter(await carol.receive(message))
    expect(await next.receiveKept()).toMatchObject({ kind: 'application', data: utf8('early') })
    expect(await next.receiveKept()).toBeUndefined()
  })
})

it('application data wait for the commit that an epoch owes its proposals (RFC 9420 §12.4)', async () => {
  const party = await threesome()
  await party.propose('bob', selfRemove)
  const group = party.group('alice')
  await expect(group.protect(utf8('hello'))).rejects.toEqual(refusal('message-proposals-pending'))
  await party.commit('alice')
  expect(
    await party.group('carol').receive(await party.group('alice').protect(utf8('hello'))),
  ).toMatchObject({ kind: 'application' })
})

it('a proposal of ours that goes out encrypted and one that comes meanwhile are both remembered', async () => {
  let judging = () => {}
  const judged = new Promise<void>((resolve) => {
    judging = resolve
  })
  let decide = () => {}
  const decided = new Promise<void>((resolve) => {
    decide = resolve
  })
  let slow = false
  const checkLeaf = async () => {
    if (!slow) return
    judging()
    await decided
  }
  const policy = { ...permissivePolicy, checkLeaf }
  const party = await Party.of(['alice', 'bob', 'carol'], { policy })
  const alice = party.group('alice')
  const theirs = await party.group('bob').proposeSelfRemove()
  slow = true
  const ours = alice.proposeUpdate({ encrypted: true })
  await judged
  const received = alice.receive(theirs)
  // Time enough for theirs to be taken in, if it does not wait for ours.
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve))
  decide()
  await Promise.all([ours, received])
  expect(alice.public.proposals.size).toBe(2)
})
