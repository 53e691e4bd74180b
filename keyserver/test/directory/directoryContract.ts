import { type Bytes, fromUtf8, utf8 } from '@conclave/core/codec'
import { type Mail, packMail } from '@conclave/core/delivery'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import {
  claimedMs,
  type DirectoryDevice,
  type DirectoryLimits,
  type DirectoryStore,
  type PublishedKeyPackage,
} from '../../src/directory/directory.ts'

export const start = 1_700_000_000_000
export const minute = 60_000
const hour = 60 * minute
const far = start + 30 * 24 * hour

export const limits: DirectoryLimits = {
  keyPackagesPerDevice: 4,
  keyPackagesPerIdentity: 12,
  devicesPerIdentity: 2,
  mailPerDevice: 3,
  mailBytesPerDevice: 1000,
}
export const rate = { claims: 100, perMs: minute }

export const phone: DirectoryDevice = { identity: 'bob', deviceKey: utf8('bob phone') }
export const laptop: DirectoryDevice = { identity: 'bob', deviceKey: utf8('bob laptop') }
const tablet: DirectoryDevice = { identity: 'bob', deviceKey: utf8('bob tablet') }

export function keyPackage(name: string, expiresAt = start + hour): PublishedKeyPackage {
  return { ref: utf8(name), keyPackage: utf8(`key package ${name}`), expiresAt }
}

function mail(ref: string, group = 'group', text = `welcome ${ref}`): Mail {
  return {
    meetingId: `meeting of ${group}`,
    groupId: utf8(group),
    ref: utf8(ref),
    welcome: utf8(text),
    seq: 7,
  }
}

const text = (bytes: Bytes) => fromUtf8(bytes) ?? 'not text'

/** What every directory keeps to, whatever it keeps things in. */
export function describeDirectory(name: string, open: () => Promise<DirectoryStore>): void {
  describe(name, () => {
    let store: DirectoryStore

    beforeEach(async () => {
      const opened = await open()
      onTestFinished(() => opened.close())
      store = opened
    })

    const publish = (
      names: readonly string[],
      {
        device = phone,
        lastResort = null as string | null,
        expiresAt = start + hour,
        now = start,
        bounds = limits,
      } = {},
    ) =>
      store.publish(
        device,
        {
          keyPackages: names.map((one) => keyPackage(one, expiresAt)),
          lastResort: lastResort === null ? null : keyPackage(lastResort, expiresAt),
        },
        bounds,
        now,
      )
    const claim = async (now = start, identity = 'bob') => {
      const claimed = await store.claim(identity, { identity: 'alice', rate }, now)
      return claimed?.map(({ ref }) => text(ref)).toSorted()
    }
    const deliver = (one: Mail, { device = phone, expiresAt = far, now = start } = {}) =>
      store.deliver(device, one, expiresAt, limits, now)

    describe('a KeyPackage', () => {
      test('is handed out as it was published, with what its device has left', async () => {
        expect(await publish(['1', '2'], { lastResort: 'last' })).toEqual({
          remaining: 2,
          lastResort: true,
        })
        expect(await store.claim('bob', { identity: 'alice', rate }, start)).toEqual([
          {
            ...keyPackage('1'),
            deviceKey: phone.deviceKey,
            stock: { remaining: 1, lastResort: true },
          },
        ])
        expect(await store.stock(phone, start)).toEqual({ remaining: 1, lastResort: true })
      })

      test('is handed out once, the oldest first, until none is left', async () => {
        await publish(['b', 'a'])
        await publish(['c'])
        expect(await claim()).toEqual(['b'])
        expect(await claim()).toEqual(['a'])
        expect(await claim()).toEqual(['c'])
        expect(await claim()).toEqual([])
      })

      test('is handed out by each device', async () => {
        await publish(['1', '2'])
        await publish(['3'], { device: laptop })
        expect(await claim()).toEqual(['1', '3'])
        expect(await claim()).toEqual(['2'])
      })

      test('is handed out to one of many who claim at the same time', async () => {
        await publish(['1', '2', '3', '4'])
        const claims = await Promise.all(Array.from({ length: 12 }, () => claim()))
        expect(claims.flat().toSorted()).toEqual(['1', '2', '3', '4'])
      })

      test('is its own device’s and identity’s alone', async () => {
        await publish(['1'])
        expect(await store.stock(laptop, start)).toEqual({ remaining: 0, lastResort: false })
        const namesake = { ...phone, identity: 'carol' }
        expect(await store.stock(namesake, start)).toEqual({ remaining: 0, lastResort: false })
        expect(await claim(start, 'carol')).toEqual([])
      })

      test('that is published again is not handed out again', async () => {
        await publish(['1', '2', '2'])
        expect(await publish(['2', '1'])).toEqual({ remaining: 2, lastResort: false })
        expect(await claim()).toEqual(['1'])
        expect(await publish(['1', '3'])).toEqual({ remaining: 2, lastResort: false })
        expect(await claim()).toEqual(['2'])
        expect(await claim()).toEqual(['3'])
        expect(await claim()).toEqual([])
      })

      test('that has expired is not handed out', async () => {
        await publish(['early'], { expiresAt: start + minute })
        await publish(['late'])
        expect(await store.stock(phone, start + minute)).toMatchObject({ remaining: 1 })
        expect(await claim(start + minute)).toEqual(['late'])
        expect(await claim(start + minute)).toEqual([])
      })

      test('of an identity of any characters is kept apart', async () => {
        const identities = ['bob', 'bob}', '{bob', 'bob:x', '', 'bób', '\ud800', '\ufffd', '\0']
        for (const identity of identities) {
          await publish([`for ${identity.length} ${encodeURI(identity.toWellFormed())}`], {
            device: { ...phone, identity },
          })
        }
        for (const identity of identities) {
          expect(await store.stock({ ...phone, identity }, start)).toMatchObject({ remaining: 1 })
        }
      })
    })

    describe('a last resort', () => {
      test('is handed out when nothing else is left, and again', async () => {
        await publish(['1'], { lastResort: 'last' })
        expect(await claim()).toEqual(['1'])
        expect(await claim()).toEqual(['last'])
        expect(await claim()).toEqual(['last'])
        await publish(['2'])
        expect(await claim()).toEqual(['2'])
      })

      test('is replaced by the next, and kept where none comes', async () => {
        await publish([], { lastResort: 'last' })
        await publish(['1'])
        expect(await publish([], { lastResort: 'newer' })).toEqual({
          remaining: 1,
          lastResort: true,
        })
        expect(await claim()).toEqual(['1'])
        expect(await claim()).toEqual(['newer'])
      })

      test('that has expired is not handed out', async () => {
        await publish([], { lastResort: 'last' })
        expect(await claim(start + hour)).toEqual([])
        expect(await store.stock(phone, start + hour)).toEqual({ remaining: 0, lastResort: false })
      })
    })

    describe('limits', () => {
      test('of a device: what would pass it is refused as a whole', async () => {
        await publish(['1', '2', '3'])
        expect(await publish(['4', '5'])).toBeNull()
        expect(await store.stock(phone, start)).toMatchObject({ remaining: 3 })
        expect(await publish(['4', '3', '3'], { lastResort: 'last' })).toMatchObject({
          remaining: 4,
        })
        await claim()
        expect(await publish(['5'])).toMatchObject({ remaining: 4 })
      })

      test('of an identity: one device too many, until another has nothing any more', async () => {
        await publish(['1'], { expiresAt: start + minute })
        await publish([], { device: laptop, lastResort: 'last' })
        expect(await publish(['2'], { device: tablet })).toBeNull()
        expect(await publish([], { device: tablet, lastResort: '2' })).toBeNull()
        expect(await publish([], { device: tablet })).toMatchObject({ remaining: 0 })
        expect(await publish(['2'], { device: tablet, now: start + minute })).toMatchObject({
          remaining: 1,
        })
      })

      test('of an identity: what was claimed counts until it is forgotten', async () => {
        for (const round of [0, 1, 2]) {
          await publish([`${round}a`, `${round}b`, `${round}c`, `${round}d`])
          for (let i = 0; i < 4; i += 1) await claim()
        }
        expect(await publish(['more'])).toBeNull()
        expect(await publish([], { lastResort: 'last' })).toBeNull()
        const later = start + hour + claimedMs
        expect(await publish(['more'], { now: later - 1 })).toBeNull()
        expect(await publish(['more'], { now: later, expiresAt: later + hour })).toMatchObject({
          remaining: 1,
        })
      })

      test('of a claimer: the others and later claims are served', async () => {
        await publish(['1', '2', '3', '4'])
        const by = (identity: string, now: number) =>
          store.claim('bob', { identity, rate: { claims: 2, perMs: minute } }, now)
        expect(await by('alice', start)).toHaveLength(1)
        expect(await by('alice', start + 1000)).toHaveLength(1)
        expect(await by('alice', start + minute - 1)).toBeNull()
        expect(await by('carol', start + minute - 1)).toHaveLength(1)
        expect(await by('alice', start + minute)).toHaveLength(1)
        expect(await by('alice', start + minute)).toEqual([])
      })
    })

    describe('a mailbox', () => {
      beforeEach(async () => {
        await publish(['1', '2', '3', '4'], { lastResort: 'last' })
        for (let i = 0; i < 5; i += 1) await claim()
      })

      test('holds what was delivered, oldest first, until it is collected', async () => {
        expect(await deliver(mail('2', 'a'))).toBe(true)
        expect(await deliver(mail('1', 'b'))).toBe(true)
        expect(await store.mailbox(phone, start)).toEqual([mail('2', 'a'), mail('1', 'b')])
        await store.collect(phone, mail('2', 'a'))
        await store.collect(phone, mail('2', 'a'))
        expect(await store.mailbox(phone, start)).toEqual([mail('1', 'b')])
      })

      test('takes one Welcome for each KeyPackage, also after it was collected', async () => {
        expect(await deliver(mail('1'))).toBe(true)
        expect(await deliver(mail('1', 'another group'))).toBe(false)
        await store.collect(phone, mail('1'))
        expect(await deliver(mail('1'))).toBe(false)
      })

      test('takes a Welcome of each group for a last resort, and collects one of them', async () => {
        expect(await deliver(mail('last', 'a'))).toBe(true)
        expect(await deliver(mail('last', 'b'))).toBe(true)
        expect(await deliver(mail('last', 'a', 'newer'))).toBe(true)
        await store.collect(phone, mail('last', 'b'))
        expect(await store.mailbox(phone, start)).toEqual([mail('last', 'a', 'newer')])
      })

      test('takes nothing for a KeyPackage that nobody claimed, of another device or person', async () => {
        await publish(['unclaimed'])
        expect(await deliver(mail('unclaimed'))).toBe(false)
        expect(await deliver(mail('unknown'))).toBe(false)
        expect(await deliver(mail('1'), { device: laptop })).toBe(false)
        expect(await deliver(mail('1'), { device: { ...phone, identity: 'carol' } })).toBe(false)
      })

      test('takes a Welcome for as long as the KeyPackage can be used', async () => {
        const end = start + hour + claimedMs
        expect(await deliver(mail('1'), { now: end - 1 })).toBe(true)
        expect(await deliver(mail('2'), { now: end })).toBe(false)
      })

      test('is bounded in Welcomes', async () => {
        for (const ref of ['1', '2', '3']) expect(await deliver(mail(ref))).toBe(true)
        expect(await deliver(mail('4'))).toBe(false)
        await store.collect(phone, mail('2'))
        expect(await deliver(mail('4'))).toBe(true)
      })

      test('is bounded in bytes', async () => {
        const sized = (ref: string, bytes: number) => {
          const frame = packMail([mail(ref, 'group', 'x'.repeat(bytes))]).length - bytes
          return mail(ref, 'group', 'x'.repeat(bytes - frame))
        }
        expect(await deliver(sized('1', 600))).toBe(true)
        expect(await deliver(sized('2', 401))).toBe(false)
        expect(await deliver(sized('2', 400))).toBe(true)
      })

      test('forgets what was not collected in time', async () => {
        await deliver(mail('1'), { expiresAt: start + minute })
        await deliver(mail('2'))
        expect(await store.mailbox(phone, start + minute)).toEqual([mail('2')])
      })

      test('is its own device’s alone', async () => {
        await deliver(mail('1'))
        expect(await store.mailbox(laptop, start)).toEqual([])
        await store.collect(laptop, mail('1'))
        await store.collect({ ...phone, identity: 'carol' }, mail('1'))
        expect(await store.mailbox(phone, start)).toHaveLength(1)
      })
    })

    describe('sweeping', () => {
      test('deletes what has expired, and says how much', async () => {
        await publish(['1', '2', '3'], { expiresAt: start + minute, lastResort: 'last' })
        await publish(['4'], { device: laptop })
        await publish(['5'], { device: { ...phone, identity: 'carol' }, expiresAt: start + minute })
        await claim()
        await deliver(mail('1'), { expiresAt: start + minute })
        expect(await store.sweep(start)).toBe(0)
        expect(await store.sweep(start + minute)).toBe(5)
        expect(await store.sweep(start + minute)).toBe(0)
        expect(await store.sweep(far)).toBe(0)
      })
    })

    describe('forgetting', () => {
      beforeEach(async () => {
        await publish(['1', '2'], { lastResort: 'last' })
        await publish(['3', '4'], { device: laptop })
        await claim()
        await deliver(mail('1'))
        await deliver(mail('3'), { device: laptop })
      })

      test('a device leaves the others', async () => {
        await store.forget('bob', phone.deviceKey)
        expect(await store.mailbox(phone, start)).toEqual([])
        expect(await store.stock(phone, start)).toEqual({ remaining: 0, lastResort: false })
        expect(await store.mailbox(laptop, start)).toHaveLength(1)
        expect(await claim()).toEqual(['4'])
        expect(await deliver(mail('2'))).toBe(false)
      })

      test('an identity leaves nothing', async () => {
        await store.forget('bob')
        expect(await claim()).toEqual([])
        for (const device of [phone, laptop]) {
          expect(await store.mailbox(device, start)).toEqual([])
          expect(await store.stock(device, start)).toEqual({ remaining: 0, lastResort: false })
        }
      })
    })
  })
}
