import { describe, expect, it } from 'vitest'
import { type Bytes, utf8 } from '../../src/codec/bytes.ts'
import { decode } from '../../src/codec/tls.ts'
import {
  Group,
  type GroupEnvironment,
  noPadding,
  type PendingCommit,
  padme,
  padToMultipleOf,
} from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { MlsMessage } from '../../src/wire/index.ts'
import { ProposalType, PskType, WireFormat } from '../../src/wire/registry.ts'
import { groupAfter, Party, remove, viewOf } from './party.ts'
import { refusal } from './refusals.ts'

const names = ['alice', 'bob', 'carol']
const psk = { pskType: PskType.external, pskId: utf8('?'), pskNonce: new Uint8Array(32) }
const anyProposal = { proposalType: ProposalType.psk, psk } as const

function openParty(environment: Partial<GroupEnvironment> = {}): Promise<Party> {
  return Party.of(names, { policy: permissivePolicy, extensions: [], environment })
}

/** The same member with something else around it. */
function moved(party: Party, name: string, change: Partial<GroupEnvironment>): Group {
  const { group, person } = party.at(name)
  const state = group.encodeState().expose()
  const moved = Group.restore({ ...party.environment, ...change }, state, person.own.signer)
  party.at(name).group = moved
  return moved
}

/** alice's commits, one after the other; carol takes them and bob hears of none. */
async function ahead(party: Party, count: number): Promise<readonly Bytes[]> {
  const commits: Bytes[] = []
  for (let i = 0; i < count; i++) {
    const alice = party.at('alice')
    const pending: PendingCommit = await alice.group.commit()
    await party.deliver(pending.message, party.others('alice', 'bob'))
    alice.group = alice.group.confirm(pending)
    commits.push(pending.message)
  }
  return commits
}

async function kindOf(group: Group, message: Bytes): Promise<string> {
  return (await group.receive(message)).kind
}

describe('a message of an epoch to come', () => {
  it('is kept, and given in the order of arrival when its epoch has come', async () => {
    const party = await openParty()
    const bob = party.group('bob')
    const [commit] = await ahead(party, 1)
    const said = ['one', 'two'].map((word) => party.group('alice').protect(utf8(word)))
    for (const message of await Promise.all(said)) {
      expect(await bob.receive(message)).toMatchObject({ kind: 'future-epoch', kept: true })
    }
    expect(await bob.receiveKept()).toBeUndefined()
    const next = groupAfter(await bob.receive(commit as Bytes))
    expect(await next.receiveKept()).toMatchObject({ kind: 'application', data: utf8('one') })
    expect(await next.receiveKept()).toMatchObject({ kind: 'application', data: utf8('two') })
    expect(await next.receiveKept()).toBeUndefined()
  })

  it('may be the commit that ends it, through several epochs', async () => {
    const party = await openParty()
    const bob = party.group('bob')
    const [first, ...later] = await ahead(party, 3)
    for (const commit of later.toReversed()) expect(await kindOf(bob, commit)).toBe('future-epoch')
    let group = groupAfter(await bob.receive(first as Bytes))
    for (;;) {
      const received = await group.receiveKept()
      if (received === undefined) break
      group = groupAfter(received)
    }
    expect(viewOf(group)).toEqual(viewOf(party.group('alice')))
  })

  it.each<[string, Partial<GroupEnvironment['futureLimits']>, readonly boolean[]]>([
    ['epochs ahead', { epochs: 1 }, [true, false, false]],
    ['messages', { messages: 2 }, [true, true, false]],
    ['bytes', { bytes: 900 }, [true, true, false]],
  ])(
    'is not kept beyond the limit of %s, and nothing else is lost for it',
    async (_, limit, kept) => {
      const unlimited = { epochs: 9, messages: 9, bytes: 1 << 16, milliseconds: 9000 }
      const party = await openParty({ futureLimits: { ...unlimited, ...limit } })
      const bob = party.group('bob')
      const before = viewOf(bob)
      const sizes: number[] = []
      for (const expected of kept) {
        await ahead(party, 1)
        const message = await party.group('alice').protect(new Uint8Array(300))
        sizes.push(message.length)
        expect(await bob.receive(message)).toMatchObject({ kind: 'future-epoch', kept: expected })
      }
      expect(sizes.reduce((a, b) => a + b)).toBeGreaterThan(900)
      expect(viewOf(bob)).toEqual(before)
    },
  )

  it('is dropped after its time, and leaves room', async () => {
    const futureLimits = { epochs: 2, messages: 1, bytes: 1 << 16, milliseconds: 5000 }
    const party = await openParty({ futureLimits })
    const bob = party.group('bob')
    const [commit] = await ahead(party, 1)
    const [early, late] = [
      await party.group('alice').protect(utf8('early')),
      await party.group('alice').protect(utf8('late')),
    ]
    expect(await bob.receive(early)).toMatchObject({ kept: true })
    party.clock.advance(4999)
    expect(await bob.receive(late)).toMatchObject({ kept: false })
    party.clock.advance(1)
    expect(await bob.receive(late)).toMatchObject({ kept: true })
    const next = groupAfter(await bob.receive(commit as Bytes))
    expect(await next.receiveKept()).toMatchObject({ data: utf8('late') })
    expect(await next.receiveKept()).toBeUndefined()
  })

  it('that nobody made is refused when its epoch has come', async () => {
    const party = await openParty()
    const bob = party.group('bob')
    const [commit] = await ahead(party, 1)
    const forged = (await party.group('alice').protect(utf8('said'))).slice()
    forged[forged.length - 1] = (forged[forged.length - 1] as number) ^ 1
    expect(await kindOf(bob, forged)).toBe('future-epoch')
    const next = groupAfter(await bob.receive(commit as Bytes))
    expect(await next.receiveKept()).toMatchObject({
      kind: 'rejected',
      error: { code: 'message-undecryptable' },
    })
  })
})

describe('application data of an epoch that is over', () => {
  it.each([0, 1, 3])('opens while no more than %i have followed', async (pastEpochs) => {
    const retention = { pastEpochs, pastEpochMs: 1000, resumptionPsks: 0 }
    const party = await openParty({ retention })
    const sent = [await party.group('alice').protect(utf8('0'))]
    for (let i = 1; i <= pastEpochs + 1; i++) {
      await party.commit('alice')
      sent.push(await party.group('alice').protect(utf8(String(i))))
    }
    const [oldest, ...others] = sent
    expect(await kindOf(party.group('bob'), oldest as Bytes)).toBe('past-epoch')
    for (const message of others)
      expect(await kindOf(party.group('bob'), message)).toBe('application')
    for (const message of others)
      expect(await kindOf(party.group('bob'), message)).toBe('duplicate')
  })

  it('opens until its time is over, also where no other epoch follows', async () => {
    const retention = { pastEpochs: 9, pastEpochMs: 1000, resumptionPsks: 0 }
    const party = await openParty({ retention })
    const alice = party.group('alice')
    const sent = [await alice.protect(utf8('0')), await alice.protect(utf8('1'))]
    await party.commit('carol')
    party.clock.advance(999)
    expect(await kindOf(party.group('bob'), sent[0] as Bytes)).toBe('application')
    party.clock.advance(1)
    expect(await kindOf(party.group('bob'), sent[1] as Bytes)).toBe('past-epoch')
  })

  it('says who was at the leaf then, whoever is there now', async () => {
    const party = await openParty()
    const said = await party.group('carol').protect(utf8('said'), utf8('aad'))
    const sender = party.leaf('carol')
    await party.commit('alice', [remove(sender)])
    await party.add('alice', ['dave'])
    expect(party.leaf('dave')).toBe(sender)
    expect(await party.group('bob').receive(said)).toMatchObject({
      kind: 'application',
      epoch: 1n,
      sender,
      leafNode: { credential: { identity: utf8('carol') } },
      data: utf8('said'),
      authenticatedData: utf8('aad'),
    })
  })

  it('is all that is accepted of it', async () => {
    const party = await openParty()
    const [bob, carol] = [party.group('bob'), party.group('carol')]
    const late = [
      await carol.propose(anyProposal),
      await carol.propose(anyProposal, { encrypted: true }),
      (await carol.commit({ encrypted: true })).message,
    ]
    await party.commit('alice')
    for (const message of late) expect(await kindOf(party.group('bob'), message)).toBe('past-epoch')
    await expect(bob.protect(utf8('?'))).rejects.toEqual(refusal('group-superseded'))
  })
})

describe('what comes again', () => {
  it('is own, where it is ours: commits, encrypted proposals, application data', async () => {
    const party = await openParty()
    const bob = party.group('bob')
    const pending = await bob.commit()
    const encrypted = await bob.commit({ encrypted: true })
    const messages = [
      pending.message,
      encrypted.message,
      await bob.protect(utf8('said')),
      await bob.propose(anyProposal, { encrypted: true }),
    ]
    for (const message of messages) {
      const before = viewOf(bob)
      expect(await bob.receive(message)).toMatchObject({
        kind: 'own',
        error: { code: 'message-own' },
      })
      expect(viewOf(bob)).toEqual(before)
    }
    const next = bob.confirm(pending)
    expect(await kindOf(next, pending.message)).toBe('past-epoch')
  })

  it('is a duplicate, where it came before', async () => {
    const party = await openParty()
    const [alice, bob] = [party.group('alice'), party.group('bob')]
    const messages = [
      await alice.protect(utf8('said')),
      await alice.propose(anyProposal),
      await alice.propose(anyProposal, { encrypted: true }),
    ]
    for (const message of messages) {
      expect(['application', 'proposal']).toContain(await kindOf(bob, message))
    }
    const before = viewOf(bob)
    for (const message of messages) expect(await kindOf(bob, message)).toBe('duplicate')
    expect(viewOf(bob)).toEqual(before)
  })
})

it('whatever is asked of a group that is over is refused by a promise, never thrown at once', async () => {
  const party = await openParty()
  const { group: bob, person } = party.at('bob')
  await party.commit('alice')
  const continuing = { own: person.own, lifetime: party.lifetime(), keyPackages: [] }
  const branching = { ...continuing, groupId: utf8('branch'), extensions: [] }
  for (const refused of [
    bob.protect(utf8('?')),
    bob.propose(anyProposal),
    bob.proposeUpdate(),
    bob.commit(),
    bob.groupInfo(),
    bob.reInit(party.environment, continuing),
    bob.branch(party.environment, branching),
  ]) {
    await expect(refused).rejects.toEqual(refusal('group-superseded'))
  }
})

describe('while proposals wait for a commit', () => {
  it('no application data goes out (RFC 9420 §12.4)', async () => {
    const party = await openParty()
    const [alice, bob] = [party.group('alice'), party.group('bob')]
    const proposal = await alice.propose(anyProposal)
    // It counts once the log gives it back.
    await alice.protect(utf8('before'))
    await party.deliver(proposal)
    for (const group of [alice, bob]) {
      await expect(group.protect(utf8('?'))).rejects.toEqual(refusal('message-proposals-pending'))
    }
    await party.commit('bob')
    for (const { group } of party.participants) await group.protect(utf8('after'))
  })

  it('none goes out either where the proposal is our own and encrypted', async () => {
    const party = await openParty()
    const alice = party.group('alice')
    await alice.propose(anyProposal, { encrypted: true })
    await expect(alice.protect(utf8('?'))).rejects.toEqual(refusal('message-proposals-pending'))
  })

  it('what others said before it still opens', async () => {
    const party = await openParty()
    const said = await party.group('carol').protect(utf8('said'))
    await party.deliver(await party.group('alice').propose(anyProposal))
    expect(await kindOf(party.group('bob'), said)).toBe('application')
  })
})

describe('the padding policy', () => {
  it.each([
    ['none', noPadding, (length: number) => length],
    ['multiples', padToMultipleOf(256), (length: number) => Math.ceil(length / 256) * 256],
    ['Padmé', padme, (length: number) => length + padme(length)],
  ] as const)('%s shapes what is sent, and everybody opens it', async (_, padding, padded) => {
    const party = await openParty()
    const plain = lengthIn(await party.group('bob').protect(new Uint8Array(100)))
    const bob = moved(party, 'bob', { padding })
    for (const length of [100, 200, 1000]) {
      const message = await bob.protect(new Uint8Array(length))
      const bare = plain + length - 100
      // 16 bytes are the AEAD's.
      expect(lengthIn(message)).toBe(padded(bare - 16) + 16)
      expect(await party.group('alice').receive(message)).toMatchObject({
        data: new Uint8Array(length),
      })
    }
  })

  it('hides how long a word is', async () => {
    const party = await openParty({ padding: padToMultipleOf(512) })
    const bob = party.group('bob')
    const lengths = ['yes', 'no, never', ''].map(async (word) =>
      lengthIn(await bob.protect(utf8(word))),
    )
    expect(new Set(await Promise.all(lengths)).size).toBe(1)
  })

  it('covers encrypted handshakes', async () => {
    const party = await openParty({ padding: padToMultipleOf(4096) })
    const proposal = await party.group('bob').propose(anyProposal, { encrypted: true })
    expect((lengthIn(proposal) - 16) % 4096).toBe(0)
    const pending = await party.group('carol').commit({ encrypted: true })
    expect((lengthIn(pending.message) - 16) % 4096).toBe(0)
  })

  it('that makes no sense is the caller’s mistake', async () => {
    const party = await openParty({ padding: () => -1 })
    await expect(party.group('bob').protect(utf8('?'))).rejects.toEqual(
      refusal('message-padding-invalid'),
    )
  })
})

describe("the policy handshakes: 'public'", () => {
  const policy = { ...permissivePolicy, handshakes: 'public' } as const

  it('lets nobody send an encrypted one', async () => {
    const party = await openParty({ policy })
    const bob = party.group('bob')
    const encrypted = { encrypted: true }
    const code = refusal('message-wire-format-unexpected')
    await expect(bob.propose(anyProposal, encrypted)).rejects.toEqual(code)
    await expect(bob.proposeUpdate(encrypted)).rejects.toEqual(code)
    await expect(bob.commit(encrypted)).rejects.toEqual(code)
    await party.commit('bob')
  })

  it('refuses those of a member without it, and nothing else', async () => {
    const party = await openParty({ policy })
    const bob = moved(party, 'bob', { policy: permissivePolicy })
    const alice = party.group('alice')
    const before = viewOf(alice)
    for (const message of [
      await bob.propose(anyProposal, { encrypted: true }),
      (await bob.commit({ encrypted: true })).message,
    ]) {
      expect(await alice.receive(message)).toMatchObject({
        kind: 'rejected',
        error: { code: 'message-wire-format-unexpected' },
      })
    }
    expect(viewOf(alice)).toEqual(before)
    const said = await party.group('carol').protect(utf8('said'))
    expect(await kindOf(alice, said)).toBe('application')
    expect(await kindOf(alice, (await party.group('carol').commit()).message)).toBe('commit')
  })

  it('is off by default: all of an epoch may be encrypted', async () => {
    const party = await openParty()
    await party.deliver(await party.group('bob').proposeUpdate({ encrypted: true }))
    const pending = await party.group('alice').commit({ encrypted: true })
    expect(decode(MlsMessage, pending.message).wireFormat).toBe(WireFormat.privateMessage)
    expect(pending.effect.proposals.updates).toHaveLength(1)
    await party.settle('alice', pending)
    for (const { group } of party.participants) {
      expect(viewOf(group)).toEqual(viewOf(party.group('alice')))
    }
  })
})

/** Bytes of the ciphertext. */
function lengthIn(message: Bytes): number {
  const decoded = decode(MlsMessage, message)
  if (decoded.wireFormat !== WireFormat.privateMessage) throw new Error('not encrypted')
  return decoded.privateMessage.ciphertext.length
}
