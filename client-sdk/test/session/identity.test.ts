import { toHex } from '@conclave/core/codec'
import { checkLifetime } from '@conclave/core/mls/public'
import { LeafNodeSource } from '@conclave/core/wire'
import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { memorySessionStore, SecureMeeting, systemRandom } from '../../src/index.ts'
import {
  deviceSigner,
  freshSignatureKey,
  keyPackageFor,
  meetingLeaf,
} from '../../src/session/identity.ts'
import { WaitingPlace } from '../../src/session/waitingPlace.ts'
import { crypto, leafOf, suite } from './support/people.ts'
import { Room } from './support/room.ts'

describe('the device key', () => {
  it('is made once and found again', async () => {
    const store = memorySessionStore()
    const first = await deviceSigner(suite, store, systemRandom)
    const second = await deviceSigner(suite, store, systemRandom)
    expect(second.publicKey).toEqual(first.publicKey)
    const elsewhere = await deviceSigner(suite, memorySessionStore(), systemRandom)
    expect(elsewhere.publicKey).not.toEqual(first.publicKey)
  })

  it('is one for meetings that are joined at the same time', async () => {
    const store = memorySessionStore()
    const signers = await Promise.all(
      Array.from({ length: 5 }, () => deviceSigner(suite, store, systemRandom)),
    )
    expect(new Set(signers.map(({ publicKey }) => publicKey.join())).size).toBe(1)
  })

  it('is refused where the store holds something else', async () => {
    const store = memorySessionStore()
    await store.write(new Map([['device-key', Uint8Array.of(1, 2, 3)]]))
    await expect(deviceSigner(suite, store, systemRandom)).rejects.toMatchObject({
      code: 'store-corrupted',
    })
  })

  it('is the same in two meetings, whose signature keys differ', async () => {
    const device = await deviceSigner(suite, memorySessionStore(), systemRandom)
    const leaves = await Promise.all(
      ['standup', 'retro'].map((id) =>
        meetingLeaf(
          suite,
          { device, meetingId: id, identity: { id: 'alice' }, cipherSuites: [1, 3] },
          freshSignatureKey(systemRandom),
        ),
      ),
    )
    const [one, other] = leaves.map(({ signer }) => signer.publicKey.join())
    expect(one).not.toBe(other)
  })
})

describe('the place on the waiting list', () => {
  async function place() {
    const clock = new VirtualClock()
    let renewals = 0
    const waiting = new WaitingPlace(clock, () => {
      renewals += 1
    })
    const bundle = await keyPackageFor(suite, await leafOf('alice'), clock)
    return { clock, waiting, bundle, renewals: () => renewals }
  }

  it('is renewed after four minutes', async () => {
    const { clock, waiting, bundle, renewals } = await place()
    waiting.waitWith(bundle)
    clock.advance(4 * 60_000 - 1)
    expect(renewals()).toBe(0)
    clock.advance(1)
    expect(renewals()).toBe(1)
  })

  it.each([
    ['at once', 0],
    ['when it is about to be renewed', 4 * 60],
  ])('can be taken %s, by a committer whose clock is eight minutes off', async (_, waited) => {
    const { clock, bundle } = await place()
    for (const off of [-8 * 60, 8 * 60]) {
      const now = clock.now() + (waited + off) * 1_000
      expect(() => checkLifetime(bundle.keyPackage.leafNode, now, 'sender')).not.toThrow()
    }
  })

  it('is valid for no longer than a keyserver allows', async () => {
    const { bundle } = await place()
    const { leafNode } = bundle.keyPackage
    if (leafNode.leafNodeSource !== LeafNodeSource.keyPackage) throw new Error('no lifetime')
    const { notBefore, notAfter } = leafNode.lifetime
    expect(Number(notAfter - notBefore)).toBeLessThanOrEqual(25 * 60)
  })

  it('wipes the private keys when it is given up, and stops the clock', async () => {
    const { clock, waiting, bundle } = await place()
    waiting.waitWith(bundle)
    waiting.forget()
    waiting.forget()
    expect(bundle.initKey.privateKey.wiped).toBe(true)
    expect(bundle.leafKey.privateKey.wiped).toBe(true)
    expect(clock.pendingTimers).toBe(0)
    expect(waiting.bundle).toBeUndefined()
  })

  it('leaves the private keys to the group that has taken them over', async () => {
    const { clock, waiting, bundle } = await place()
    waiting.waitWith(bundle)
    waiting.admitted()
    waiting.forget()
    expect(bundle.leafKey.privateKey.wiped).toBe(false)
    expect(clock.pendingTimers).toBe(0)
  })

  it('is waited for with a fresh KeyPackage, as long as nobody lets us in', async () => {
    const room = Room.open()
    const clients = await room.meetingOf('alice')
    const alice = clients[0]
    if (alice === undefined) throw new Error('nobody')
    alice.port.tamper.commit = () => new Promise(() => {})
    const joining = room.begin('bob', () => {}, { joinTimeoutMs: 600_000 })
    await room.pass(4 * 60_000 + 100)
    // Nobody may commit itself into this group: between the two it has tried, and waited on.
    expect(joining.port.count('wait')).toBeGreaterThan(1)
    const packages = joining.port.requests.filter(({ name }) => name === 'wait')
    const distinct = new Set(packages.map(({ request }) => toHex(Object(request).keyPackage)))
    expect(distinct.size).toBe(2)
    delete alice.port.tamper.commit
    alice.port.drop()
    alice.port.connect()
    await room.until(() => joining.client !== undefined)
  })
})

describe('what a caller may ask for', () => {
  const options = {
    keyserver: 'http://127.0.0.1:9',
    meetingId: 'standup',
    token: 'unused',
    identity: { id: 'alice' },
    trust: { policy: 'open' },
    crypto,
  } as const

  it.each([
    ['an empty meeting id', { meetingId: '' }],
    ['a meeting id of 257 bytes', { meetingId: `${'é'.repeat(128)}x` }],
    ['a meeting id that is not well-formed', { meetingId: '\ud800' }],
    ['an empty identity', { identity: { id: '' } }],
    ['an identity of 257 bytes', { identity: { id: 'x'.repeat(257) } }],
    ['no time to join', { joinTimeoutMs: 0 }],
    ['less than no time', { joinTimeoutMs: -1 }],
    ['a time that is no number', { joinTimeoutMs: Number.NaN }],
    ['a time that no timer can wait', { joinTimeoutMs: Number.POSITIVE_INFINITY }],
  ])('%s is refused', async (_, override) => {
    await expect(SecureMeeting.join({ ...options, ...override })).rejects.toMatchObject({
      code: 'argument-invalid',
    })
  })

  it.each([
    ['http://keys.example', 'insecure-url'],
    ['ws://10.0.0.1', 'insecure-url'],
    ['keys.example', 'url-invalid'],
    ['https://user:secret@keys.example', 'url-invalid'],
  ])('the keyserver %s is refused', async (keyserver, code) => {
    await expect(SecureMeeting.join({ ...options, keyserver })).rejects.toMatchObject({ code })
  })

  it('a provider without the suite of meetings is refused', async () => {
    const poor = { publicSuite: () => undefined, secretSuite: () => undefined }
    await expect(SecureMeeting.join({ ...options, crypto: poor })).rejects.toMatchObject({
      code: 'platform-unsupported',
    })
  })

  it('names of 256 bytes are allowed', async () => {
    const room = Room.open()
    const longest = 'é'.repeat(128)
    const alice = await room.join(longest)
    expect(alice.meeting.self.identity).toBe(longest)
  })
})
