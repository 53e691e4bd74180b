import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { type Bytes, concatBytes, equalBytes, toHex, utf8 } from '../../src/codec/bytes.ts'
import { Secret } from '../../src/crypto/secret/index.ts'
import { ConclaveError } from '../../src/error.ts'
import { Group, type GroupEnvironment, type PendingCommit } from '../../src/mls/group/index.ts'
import {
  decodePending,
  encodePendingContent,
  type PendingCommitContent,
} from '../../src/mls/group/pendingState.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { seed } from '../campaign.ts'
import { damage } from './damage.ts'
import { add, groupAfter, groupInfoIn, Party, remove, viewOf } from './party.ts'
import { RecordedCrypto } from './recordedCrypto.ts'
import { refusal } from './refusals.ts'
import { testCrypto } from './testCrypto.ts'

const names = ['alice', 'bob', 'carol', 'dave']

function openParty(environment: Partial<GroupEnvironment> = {}): Promise<Party> {
  return Party.of(names, { policy: permissivePolicy, extensions: [], environment })
}

/** bob's state as the epoch begins, and his commit of what was proposed then, as he stored it. */
async function withCommit(party: Party, options: Parameters<Group['commit']>[0] = {}) {
  const state = stateOf(party.group('bob'))
  const said = [
    await party.propose('carol', remove(party.leaf('dave'))),
    await party.group('alice').proposeUpdate(),
  ]
  await party.deliver(said[1] as Bytes)
  const pending = await party.group('bob').commit(options)
  return { state, said, pending, stored: pending.encodeState().expose() }
}

function stateOf(group: Group): Bytes {
  return group.encodeState().expose()
}

function restored(party: Party, state: Bytes): Group {
  return Group.restore(party.environment, state, party.at('bob').person.own.signer)
}

async function replay(group: Group, messages: readonly Bytes[]): Promise<void> {
  for (const message of messages) expect(await group.receive(message)).toMatchObject({ ref: {} })
}

async function refusalOf(group: Group, stored: Bytes): Promise<string | undefined> {
  try {
    await group.restorePending(stored)
    return undefined
  } catch (error) {
    if (error instanceof ConclaveError) return error.code
    throw error
  }
}

/** What somebody else is in after a commit of bob's. */
async function after(party: Party, name: string, { message }: PendingCommit): Promise<Group> {
  const participant = party.at(name)
  participant.group = groupAfter(await participant.group.receive(message))
  return participant.group
}

/** The secrets that are wiped while `act` runs, in hexadecimal form. */
async function wipedDuring(act: () => Promise<void>): Promise<ReadonlySet<string>> {
  const wiped = new Set<string>()
  const { wipe } = Secret.prototype
  const spy = vi.spyOn(Secret.prototype, 'wipe').mockImplementation(function (this: Secret) {
    if (!this.wiped) wiped.add(toHex(this.expose()))
    wipe.call(this)
  })
  await act()
  spy.mockRestore()
  return wiped
}

describe('a stored commit', () => {
  it('is the same after a crash: what is sent, what it does, and the epoch that it begins', async () => {
    const party = await openParty()
    const { state, said, pending, stored } = await withCommit(party)
    const bob = restored(party, state)
    await replay(bob, said)
    const again = await bob.restorePending(stored)
    for (const part of ['message', 'groupInfo', 'welcome'] as const) {
      expect(again[part]).toEqual(pending[part])
    }
    expect(again.effect.removed).toEqual(pending.effect.removed)
    expect(again.effect.proposals).toEqual(pending.effect.proposals)
    expect(again.effect.provisionalContext).toEqual(pending.effect.provisionalContext)
    expect(toHex(again.encodeState().expose())).toBe(toHex(stored))
    const uninterrupted = party.group('bob').confirm(pending)
    expect(toHex(stateOf(bob.confirm(again)))).toBe(toHex(stateOf(uninterrupted)))
  })

  it('that won before the crash is found in the log and confirmed, and the member goes on', async () => {
    const party = await openParty()
    const { state, said, pending, stored } = await withCommit(party)
    await party.deliver(pending.message, party.others('bob'))
    const bob = party.at('bob')
    bob.group = restored(party, state)
    await replay(bob.group, said)
    const again = await bob.group.restorePending(stored)
    expect(await bob.group.receive(pending.message)).toMatchObject({ kind: 'own' })
    bob.group = bob.group.confirm(again)
    expect(viewOf(bob.group)).toEqual(viewOf(party.group('alice')))
    const message = await bob.group.protect(utf8('back'))
    expect(await party.group('alice').receive(message)).toMatchObject({ data: utf8('back') })
    await party.commit('alice')
    await party.commit('bob')
    expect(viewOf(party.group('carol'))).toEqual(viewOf(party.group('bob')))
  })

  it('that lost is discarded, and the one that won is received', async () => {
    const party = await openParty()
    const { state, said, stored } = await withCommit(party)
    const bob = party.at('bob')
    bob.group = restored(party, state)
    await replay(bob.group, said)
    const again = await bob.group.restorePending(stored)
    const won = await party.group('alice').commit()
    const next = groupAfter(await bob.group.receive(won.message))
    again.discard()
    expect(viewOf(next)).toEqual(viewOf(party.group('alice').confirm(won)))
    expect(() => again.encodeState()).toThrow(refusal('pending-commit-settled'))
  })

  it('can be one that only members can read', async () => {
    const party = await openParty()
    const { state, said, pending, stored } = await withCommit(party, { encrypted: true })
    const bob = restored(party, state)
    await replay(bob, said)
    const next = bob.confirm(await bob.restorePending(stored))
    expect(viewOf(next)).toEqual(viewOf(await after(party, 'alice', pending)))
  })

  it('can be one without a path, which adds somebody', async () => {
    const party = await openParty()
    const state = stateOf(party.group('bob'))
    const { keyPackage } = await party.keyPackage(await party.person('erin'))
    const pending = await party
      .group('bob')
      .commit({ path: 'if-required', proposals: [add(keyPackage)] })
    const bob = restored(party, state)
    const again = await bob.restorePending(pending.encodeState().expose())
    expect(again.welcome).toEqual(pending.welcome)
    expect(again.effect.added).toEqual(pending.effect.added)
    expect(viewOf(bob.confirm(again))).toEqual(viewOf(await after(party, 'alice', pending)))
  })

  it('that gives its maker another signature key is restored with that key only', async () => {
    const party = await openParty()
    const { own } = party.at('bob').person
    const state = stateOf(party.group('bob'))
    const leaf = { ...own, signer: await party.suite.generateSigner() }
    const pending = await party.group('bob').commit({ leaf })
    const stored = pending.encodeState().expose()
    const bob = restored(party, state)
    await expect(bob.restorePending(stored)).rejects.toEqual(refusal('state-signer-mismatch'))
    const next = bob.confirm(await bob.restorePending(stored, leaf.signer))
    await after(party, 'alice', pending)
    const message = await next.protect(utf8('new key'))
    expect(await party.group('alice').receive(message)).toMatchObject({ data: utf8('new key') })
  })

  it('takes some hundred bytes more than what is sent, for the tree is not in it', async () => {
    const party = await openParty()
    const { pending, stored } = await withCommit(party)
    const sent = pending.message.length + pending.groupInfo.length
    expect(stored.length - sent).toBeLessThan(800)
  })
})

describe('a stored commit is refused', () => {
  it('where what it refers to has not been received again', async () => {
    const party = await openParty()
    const { state, said, stored } = await withCommit(party)
    const bob = restored(party, state)
    expect(await refusalOf(bob, stored)).toBe('proposal-unknown-reference')
    await replay(bob, said)
    expect(await refusalOf(bob, stored)).toBeUndefined()
  })

  it('in another epoch, by another member and in another group', async () => {
    const party = await openParty()
    const { stored } = await withCommit(party)
    expect(await refusalOf(party.group('alice'), stored)).toBe('pending-commit-mismatch')
    await party.commit('alice')
    expect(await refusalOf(party.group('bob'), stored)).toBe('pending-commit-mismatch')
    const other = await Party.of(['erin', 'bob'], { policy: permissivePolicy, extensions: [] })
    expect(await refusalOf(other.group('bob'), stored)).toBe('pending-commit-mismatch')
  })

  it('in a group that is over', async () => {
    const party = await openParty()
    const { stored } = await withCommit(party)
    const bob = party.group('bob')
    await party.commit('alice')
    await expect(bob.restorePending(stored)).rejects.toEqual(refusal('group-superseded'))
  })

  it('where the group ends while it is restored', async () => {
    const party = await openParty()
    const { stored } = await withCommit(party)
    const again = party.group('bob').restorePending(stored)
    party.group('bob').close()
    await expect(again).rejects.toEqual(refusal('group-left'))
  })

  it('in another version, with what to do', async () => {
    const party = await openParty()
    const { stored } = await withCommit(party)
    for (const version of [0, 2, 0xffff]) {
      const other = stored.slice()
      new DataView(other.buffer).setUint16(0, version)
      const refused = party.group('bob').restorePending(other)
      await expect(refused).rejects.toEqual(refusal('state-version-unsupported'))
      await expect(refused).rejects.toHaveProperty('remedy', expect.stringContaining('commit'))
    }
  })

  it('with any bit changed, cut short or continued, and nothing has changed', async () => {
    const party = await openParty()
    const { stored } = await withCommit(party, { encrypted: true })
    const bob = party.group('bob')
    const before = toHex(stateOf(bob))
    const codes = new Set<string | undefined>()
    for (let bit = 0; bit < 8 * stored.length; bit += 37) {
      const flipped = stored.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      codes.add(await refusalOf(bob, flipped))
    }
    for (let length = 0; length < stored.length; length += 41) {
      codes.add(await refusalOf(bob, stored.slice(0, length)))
    }
    codes.add(await refusalOf(bob, concatBytes(stored, Uint8Array.of(0))))
    expect([...codes].sort()).toEqual(['state-malformed', 'state-version-unsupported'])
    expect(toHex(stateOf(bob))).toBe(before)
    expect(await refusalOf(bob, stored)).toBeUndefined()
  })

  it('damaged in whatever way, typed', async () => {
    const party = await openParty()
    const { stored } = await withCommit(party)
    const codes = new Set<string | undefined>()
    await fc.assert(
      fc.asyncProperty(damage, async (apply) => {
        const damaged = apply(stored)
        if (equalBytes(damaged, stored)) return
        codes.add(await refusalOf(party.group('bob'), damaged))
      }),
      { seed, numRuns: 300 },
    )
    const known = ['state-malformed', 'state-version-unsupported']
    expect(known).toEqual(expect.arrayContaining([...codes]))
    expect(codes).toContain('state-malformed')
  })

  it('with what was made well but is not what it should be', async () => {
    const party = await openParty()
    const { pending } = await withCommit(party, { encrypted: true })
    const other = await party.group('bob').commit({ encrypted: true })
    const { suite } = party
    const group = party.group('bob')
    const [mine, others] = [pending, other].map((made) =>
      decodePending(suite, made.encodeState().expose()),
    ) as [PendingCommitContent, PendingCommitContent]
    const forged = (change: Partial<PendingCommitContent>) =>
      encodePendingContent(suite, { ...mine, ...change })
    expect(await refusalOf(group, forged({}))).toBeUndefined()
    expect(await refusalOf(group, forged({ content: undefined }))).toBe('state-malformed')
    expect(await refusalOf(group, forged({ message: utf8('?'), content: undefined }))).toBe(
      'state-malformed',
    )
    expect(await refusalOf(group, forged({ secrets: others.secrets }))).toBe(
      'commit-confirmation-tag-invalid',
    )
  })

  it('where it brings its maker into a group: there is nothing to restore it to', async () => {
    const party = await openParty()
    const { own } = await party.person('erin')
    const groupInfo = groupInfoIn(
      await party.group('bob').groupInfo({ externalPub: true, ratchetTree: true }),
    )
    const pending = await Group.joinExternally(party.environment, { groupInfo, own })
    expect(() => pending.encodeState()).toThrow(refusal('pending-commit-mismatch'))
    pending.discard()
  })
})

describe('of a stored commit', () => {
  it('nothing is left once it is discarded, and nothing where it could not be restored', async () => {
    const crypto = new RecordedCrypto(testCrypto)
    const party = await openParty({ crypto })
    crypto.during = 'pending'
    const pending = await party.group('bob').commit()
    const stored = pending.encodeState().expose()
    // What was made before is the group's: its id, and no secret.
    const found = crypto.foundIn(stored)
    expect(found.filter((name) => name !== ' random 16 bytes')).toEqual(
      [
        'application_export',
        'authentication',
        'confirm',
        'encryption',
        'exporter',
        'external',
        'init',
        'key of one',
        'membership',
        'node key × 2',
        'resumption',
        'sender data',
      ].map((label) => `pending ${label}`),
    )
    const held = party.group('bob')
    const content = decodePending(party.suite, stored).secrets
    for (const wiped of [
      await wipedDuring(async () => (await held.restorePending(stored)).discard()),
      await wipedDuring(async () => void (await refusalOf(party.group('alice'), stored))),
    ]) {
      const { secrets, messages, safeExporter, keys } = content
      const singly = [messages.senderDataSecret, ...keys.map(({ key }) => key.privateKey)]
      for (const secret of [...Object.values(secrets), ...singly]) {
        expect(wiped).toContain(toHex(secret.expose()))
      }
      for (const tree of [messages.secretTree, safeExporter]) {
        expect([...wiped].some((hex) => toHex(tree).includes(hex))).toBe(true)
      }
    }
  })
})
