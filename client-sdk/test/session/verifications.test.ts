import { utf8 } from '@conclave/core/codec'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memorySessionStore, type SessionStore } from '../../src/index.ts'
import { pairFingerprint } from '../../src/session/fingerprint.ts'
import type { NamedDevice } from '../../src/session/roster.ts'
import { Verifications } from '../../src/session/verifications.ts'
import { suite } from './support/people.ts'

function device(identity: string, key: number): NamedDevice {
  return { identity, deviceKey: new Uint8Array(32).fill(key) }
}

const alice = device('alice', 1)
const bob = device('bob', 2)

const anyDevice = fc.record({
  identity: fc.constantFrom('', 'a', 'ab', 'b', 'bob', 'bobs', 'ä'),
  deviceKey: fc.uint8Array({ maxLength: 4 }).map((bytes) => bytes.slice()),
})

async function loaded(store: SessionStore): Promise<Verifications> {
  const verifications = new Verifications(store, suite)
  await verifications.load()
  return verifications
}

const known = { verified: true, deviceChanged: false }
const unknown = { verified: false, deviceChanged: false }
const suspect = { verified: false, deviceChanged: true }

describe('the fingerprint of two devices', () => {
  it('is sixty digits, the same on both, and reads as each device’s half', () => {
    const fingerprint = pairFingerprint(suite, alice, bob)
    expect(fingerprint).toMatch(/^\d{5}( \d{5}){11}$/)
    expect(pairFingerprint(suite, bob, alice)).toBe(fingerprint)
    const halves = [fingerprint.slice(0, 35), fingerprint.slice(36)]
    expect(halves).toEqual([...halves].sort())
    const withCarol = pairFingerprint(suite, alice, device('carol', 3))
    expect(halves.filter((half) => withCarol.includes(half))).toHaveLength(1)
  })

  it('stays what it was in every version, so that what was compared stays compared', () => {
    expect(pairFingerprint(suite, alice, bob)).toBe(
      '22449 58884 42048 62399 71754 37914 67369 16824 08198 52920 62830 69069',
    )
  })

  it('is the same for no two other pairs, however names and keys run into each other', () => {
    fc.assert(
      fc.property(anyDevice, anyDevice, anyDevice, anyDevice, (a, b, c, d) => {
        const of = (x: NamedDevice) => `${x.identity.length} ${x.identity} ${x.deviceKey.join()}`
        const pair = (x: NamedDevice, y: NamedDevice) => [of(x), of(y)].sort().join('|')
        expect(pairFingerprint(suite, a, b) === pairFingerprint(suite, c, d)).toBe(
          pair(a, b) === pair(c, d),
        )
      }),
    )
  })
})

describe('what is known of a device', () => {
  it('is nothing at first, and our own is verified', async () => {
    const { standingOf } = await loaded(memorySessionStore())
    expect(standingOf(alice, bob)).toEqual(unknown)
    expect(standingOf(alice, alice)).toEqual(known)
  })

  it('is remembered by the store, pinned to identity and key', async () => {
    const store = memorySessionStore()
    await (await loaded(store)).add(alice, bob)
    const { standingOf } = await loaded(store)
    expect(standingOf(alice, bob)).toEqual(known)
    expect(standingOf(alice, device('bob', 3))).toEqual(suspect)
    expect(standingOf(alice, device('carol', 2))).toEqual(unknown)
    expect(standingOf(alice, device('carol', 3))).toEqual(unknown)
  })

  it('holds for the device and the identity of ours that it was found out with', async () => {
    const store = memorySessionStore()
    await (await loaded(store)).add(alice, bob)
    const { standingOf } = await loaded(store)
    expect(standingOf(device('alice', 9), bob)).toEqual(unknown)
    expect(standingOf(device('alice at work', 1), bob)).toEqual(unknown)
  })

  it('is forgotten, with the suspicion of other devices', async () => {
    const store = memorySessionStore()
    const verifications = await loaded(store)
    await verifications.add(alice, bob)
    await verifications.add(alice, device('bob', 3))
    await verifications.remove(alice, bob)
    expect(verifications.standingOf(alice, bob)).toEqual(suspect)
    await verifications.remove(alice, device('bob', 3))
    await verifications.remove(alice, device('bob', 3))
    expect(verifications.standingOf(alice, bob)).toEqual(unknown)
    expect(await store.keys('')).toEqual([])
  })

  it('is what stands in the store, after anything was added or removed twice or again', async () => {
    const devices = [bob, device('bob', 3), device('carol', 4)]
    const change = fc.record({ adding: fc.boolean(), which: fc.nat(2) })
    await fc.assert(
      fc.asyncProperty(fc.array(change, { maxLength: 12 }), async (changes) => {
        const store = memorySessionStore()
        const verifications = await loaded(store)
        const verified = new Set<number>()
        for (const { adding, which } of changes) {
          const one = devices[which] as NamedDevice
          await (adding ? verifications.add(alice, one) : verifications.remove(alice, one))
          if (adding) verified.add(which)
          else verified.delete(which)
        }
        const again = await loaded(store)
        devices.forEach((one, i) => {
          const standing = verifications.standingOf(alice, one)
          expect(standing.verified).toBe(verified.has(i))
          expect(standing.deviceChanged).toBe(i < 2 && !verified.has(i) && verified.has(1 - i))
          expect(again.standingOf(alice, one)).toEqual(standing)
        })
      }),
    )
  })

  it('stays what it was where the store fails', async () => {
    const store = memorySessionStore()
    const verifications = await loaded(store)
    const failing = new Verifications(
      { ...store, write: () => Promise.reject(new Error('no room')) },
      suite,
    )
    await expect(failing.add(alice, bob)).rejects.toThrow('no room')
    expect(failing.standingOf(alice, bob)).toEqual(unknown)
    await verifications.add(alice, bob)
    await failing.load()
    await expect(failing.remove(alice, bob)).rejects.toThrow('no room')
    expect(failing.standingOf(alice, bob)).toEqual(known)
  })

  it('says nobody’s name in the store', async () => {
    const store = memorySessionStore()
    await (await loaded(store)).add(alice, bob)
    const keys = (await store.keys('')).join()
    const hex = [...utf8('bob')].map((byte) => byte.toString(16)).join('')
    for (const telling of ['bob', 'alice', hex, '02'.repeat(32)]) {
      expect(keys).not.toContain(telling)
    }
  })
})
