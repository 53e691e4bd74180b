import { describe, expect, it } from 'vitest'
import { type Bytes, utf8 } from '../../src/codec/bytes.ts'
import { Group, type GroupEnvironment, type Received } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import { groupInfoIn, Party } from './party.ts'
import { contains } from './privateGroup.ts'
import { RecordedCrypto } from './recordedCrypto.ts'
import { refusal } from './refusals.ts'
import { testCrypto } from './testCrypto.ts'

/*
 * The deletion schedule of docs/mls.md. Each test lists every secret whose bytes are anywhere in bob's
 * serialised state: `2 init` is what the label "init" gave in epoch 2. Whatever is not in a list is gone.
 */

const names = ['alice', 'bob', 'carol', 'dave']
const publicBytes = '1 random 16 bytes'

/** What a member has of an epoch that it is in and in which it has sent and received nothing. */
const fresh = (epoch: number) =>
  [
    'application_export',
    'authentication',
    'confirm',
    'encryption',
    'exporter',
    'external',
    'init',
    'membership',
    'resumption',
    'sender data',
  ].map((label) => `${epoch} ${label}`)

/** What is left of it afterwards. */
const past = (epoch: number) =>
  ['encryption', 'resumption', 'sender data'].map((label) => `${epoch} ${label}`)

class Scene {
  readonly party: Party
  readonly crypto: RecordedCrypto
  #epoch = 1

  private constructor(party: Party, crypto: RecordedCrypto) {
    this.party = party
    this.crypto = crypto
  }

  static async open(more: Partial<GroupEnvironment> = {}): Promise<Scene> {
    const crypto = new RecordedCrypto(testCrypto)
    crypto.during = '1'
    const environment = { policy: permissivePolicy, ...more, crypto }
    const options = { environment, extensions: [] }
    return new Scene(await Party.of(names, options), crypto)
  }

  get bob(): Group {
    return this.party.group('bob')
  }

  /** The secrets in bob's state; the group's id is random too, and no secret. */
  held(): readonly string[] {
    const found = this.crypto.foundIn(this.bob.encodeState().expose())
    return found.filter((name) => name !== publicBytes)
  }

  expectHeld(...expected: readonly (string | readonly string[])[]): void {
    expect(this.held()).toEqual(expected.flat().sort())
  }

  /** What bob makes of the next epoch counts as that epoch's. */
  async commit(by: string): Promise<void> {
    this.crypto.during = String(++this.#epoch)
    await this.party.commit(by)
  }

  receive(message: Bytes): Promise<Received> {
    return this.bob.receive(message)
  }
}

describe('the state of a member', () => {
  it('has the epoch, its leaf key and path keys, once it has joined: no init key, no path secret', async () => {
    const scene = await Scene.open()
    scene.expectHeld(fresh(1), '1 key of one', '1 node key × 2')
  })

  it('has its next key and the unused branches of the secret tree, once it has sent', async () => {
    const scene = await Scene.open()
    await scene.bob.protect(utf8('said'))
    const unused = ['1 handshake', '1 secret', '1 tree × 2']
    const rest = fresh(1).filter((name) => name !== '1 encryption')
    scene.expectHeld(rest, unused, '1 key of one', '1 node key × 2')
  })

  it('has the keys of messages that it has missed, and not of those that it has opened', async () => {
    const scene = await Scene.open()
    const alice = scene.party.group('alice')
    const sent = [await alice.protect(utf8('0')), await alice.protect(utf8('1'))]
    await scene.receive(sent[1] as Bytes)
    const missed = ['1 key', '1 nonce']
    expect(scene.held()).toEqual(expect.arrayContaining(missed))
    expect(scene.held()).not.toContain('1 encryption')
    await scene.receive(sent[0] as Bytes)
    for (const name of scene.held()) expect(name).not.toMatch(/ (key|nonce)$/)
    expect(await scene.receive(sent[0] as Bytes)).toMatchObject({ kind: 'duplicate' })
  })

  it('has no component secret that was exported, nor what it came from', async () => {
    const scene = await Scene.open()
    const exported = scene.bob.safeExportSecret(7)
    expect(scene.held()).not.toContain('1 application_export')
    expect(contains(scene.bob.encodeState().expose(), exported.expose())).toBe(false)
  })

  it('has nothing of a commit that is pending, or was discarded', async () => {
    const scene = await Scene.open()
    const before = scene.held()
    scene.crypto.during = 'pending'
    const pending = await scene.bob.commit()
    expect(scene.held()).toEqual(before)
    pending.discard()
    expect(scene.held()).toEqual(before)
  })

  it('has the key of an Update that it proposed, which replaces the last when it is committed', async () => {
    const scene = await Scene.open()
    scene.crypto.during = 'update'
    await scene.party.deliver(await scene.bob.proposeUpdate())
    expect(scene.held()).toEqual(expect.arrayContaining(['1 key of one', 'update key of one']))
    await scene.commit('alice')
    scene.expectHeld(fresh(2), past(1), 'update key of one', '2 node key × 2')
  })

  it('has no key of an Update that was not committed in its epoch', async () => {
    const scene = await Scene.open()
    scene.crypto.during = 'update'
    await scene.bob.proposeUpdate()
    await scene.commit('bob')
    scene.expectHeld(fresh(2), past(1), '2 key of one', '2 node key × 2')
  })

  it('has no key of an Update that could not be proposed', async () => {
    const policy = { ...permissivePolicy, handshakes: 'public' } as const
    const scene = await Scene.open({ policy })
    const before = scene.held()
    scene.crypto.during = 'update'
    const refused = scene.bob.proposeUpdate({ encrypted: true })
    await expect(refused).rejects.toEqual(refusal('message-wire-format-unexpected'))
    expect(scene.held()).toEqual(before)
  })

  it('has of its own ratchets nothing once the epoch is over', async () => {
    const scene = await Scene.open()
    await scene.bob.protect(utf8('said'))
    await scene.commit('alice')
    const unused = ['1 resumption', '1 sender data', '1 tree × 2']
    scene.expectHeld(fresh(2), unused, '1 key of one', '2 node key × 2')
  })

  it('has of three past epochs what opens late messages, and of those before nothing', async () => {
    const scene = await Scene.open()
    for (const by of ['alice', 'bob', 'carol', 'dave', 'alice']) await scene.commit(by)
    const kept = [past(3), past(4), past(5)].flat()
    // dave's path has replaced the upper one of bob's, and alice's both.
    scene.expectHeld(fresh(6), kept, '3 key of one', '6 node key × 2')
  })

  it('has after a minute nothing of past epochs but resumption keys, whether or not anything came', async () => {
    const scene = await Scene.open()
    for (const by of ['alice', 'bob', 'carol']) await scene.commit(by)
    scene.party.clock.advance(59_999)
    expect(scene.held()).toEqual(expect.arrayContaining(past(3)))
    scene.party.clock.advance(1)
    const psks = ['1 resumption', '2 resumption', '3 resumption']
    const keys = scene.held().filter((name) => name.includes('key'))
    scene.expectHeld(fresh(4), psks, keys)
  })

  it('has of past epochs only resumption keys, where the others are not asked for', async () => {
    const scene = await Scene.open()
    for (const by of ['alice', 'bob']) await scene.commit(by)
    const state = scene.bob.encodeState({ pastEpochs: false }).expose()
    const found = scene.crypto.foundIn(state).filter((name) => !name.startsWith('3'))
    expect(found).toEqual([publicBytes, '1 resumption', '2 resumption'])
  })

  it('has only its own epoch after an external commit', async () => {
    const scene = await Scene.open()
    const { bob, party, crypto } = scene
    const groupInfo = groupInfoIn(await bob.groupInfo({ externalPub: true, ratchetTree: true }))
    crypto.during = '2'
    const { own } = await party.person('erin')
    const erin = Group.enter(await Group.joinExternally(party.environment, { groupInfo, own }))
    const found = crypto.foundIn(erin.encodeState().expose())
    const keys = ['2 key of one', publicBytes]
    expect(found.filter((name) => !name.includes('node key'))).toEqual(
      [...fresh(2), ...keys].sort(),
    )
  })

  it('is not to be had of a group that is over', async () => {
    const { bob, party } = await Scene.open()
    await party.commit('alice')
    expect(() => bob.encodeState()).toThrow(refusal('group-superseded'))
    party.group('bob').close()
    expect(() => party.group('bob').encodeState()).toThrow(refusal('group-left'))
  })
})

describe('that is noticed', () => {
  it('when a member keeps more past epochs than three', async () => {
    const retention = { pastEpochs: 4, pastEpochMs: 60_000, resumptionPsks: 4 }
    const scene = await Scene.open({ retention })
    for (const by of ['alice', 'bob', 'carol', 'dave', 'alice']) await scene.commit(by)
    expect(scene.held()).toEqual(expect.arrayContaining(past(2)))
  })

  it('when a state is older than it should be', async () => {
    const scene = await Scene.open()
    const state = scene.bob.encodeState()
    await scene.commit('bob')
    const found = scene.crypto.foundIn(state.expose())
    expect(found).toEqual(expect.arrayContaining(fresh(1)))
    expect(scene.held()).not.toEqual(expect.arrayContaining(fresh(1)))
  })
})
