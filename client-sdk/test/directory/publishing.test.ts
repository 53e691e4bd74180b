import { toHex } from '@conclave/core/codec'
import { anyMeeting, verifyMember } from '@conclave/core/meeting'
import { isLastResort, readKeyPackage, verifyKeyPackage } from '@conclave/core/mls/public'
import { expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { targetStock } from '../../src/directory/stockPlan.ts'
import { memorySessionStore } from '../../src/index.ts'
import { startKeyserver } from '../session/keyserver.ts'
import { suite } from '../session/support/people.ts'
import { connectAs, openDevice, patience } from './devices.ts'

const full = { remaining: targetStock, lastResort: true }

it('a device publishes KeyPackages for any meeting, and a last resort', async () => {
  const server = await startKeyserver()
  const bob = await openDevice(server, 'bob')
  await expect.poll(() => bob.published, patience).toEqual([full])
  const ask = await connectAs(server, 'alice')
  const { keyPackages } = await ask('claim', { identity: 'bob' })
  expect(keyPackages).toHaveLength(1)
  const keyPackage = readKeyPackage(keyPackages[0] ?? new Uint8Array())
  await verifyKeyPackage(suite, keyPackage)
  expect(isLastResort(keyPackage)).toBe(false)
  expect(await verifyMember(suite, anyMeeting, keyPackage.leafNode)).toMatchObject({
    certifiedFor: 'any-meeting',
  })
  expect(bob.problems).toEqual([])
})

it('a device publishes by a clock that counts parts of milliseconds', async () => {
  const server = await startKeyserver()
  const bob = await openDevice(server, 'bob', { clock: new VirtualClock(Date.now() + 0.5) })
  await expect.poll(() => [...bob.published, ...bob.ended], patience).toEqual([full])
})

it('no two KeyPackages of a device have a key in common but the device’s', async () => {
  const server = await startKeyserver()
  const bob = await openDevice(server, 'bob')
  await expect.poll(() => bob.published, patience).toHaveLength(1)
  const ask = await connectAs(server, 'alice')
  const keys = new Set<string>()
  for (let i = 0; i < 5; i++) {
    const { keyPackages } = await ask('claim', { identity: 'bob' })
    const { initKey, leafNode } = readKeyPackage(keyPackages[0] ?? new Uint8Array())
    for (const key of [initKey, leafNode.encryptionKey, leafNode.signatureKey]) {
      keys.add(toHex(key))
    }
  }
  expect(keys.size).toBe(15)
})

it('what was claimed is replaced when the directory says that it runs low', async () => {
  const server = await startKeyserver()
  const bob = await openDevice(server, 'bob')
  await expect.poll(() => bob.published, patience).toEqual([full])
  for (const claimer of ['alice', 'carol']) {
    const ask = await connectAs(server, claimer)
    for (let i = 0; i < 9; i++) await ask('claim', { identity: 'bob' })
  }
  // A keyserver that always cries for more gets more once a minute.
  await expect
    .poll(() => {
      bob.clock.advance(1_000)
      return bob.published
    }, patience)
    .toEqual([full, full])
})

it('a device that comes again publishes nothing that the directory has', async () => {
  const server = await startKeyserver()
  const first = await openDevice(server, 'bob')
  await expect.poll(() => first.published, patience).toEqual([full])
  first.directory.close()
  const kept = await first.store.keys('key-package/')
  expect(kept).toHaveLength(targetStock + 1)
  const again = await openDevice(server, 'bob', { store: first.store, clock: first.clock })
  // Its last resort alone, of which it cannot know whether the directory had taken it.
  await expect.poll(() => again.published, patience).toEqual([full])
  expect((await first.store.keys('key-package/')).toSorted()).toEqual(kept.toSorted())
})

it('entries of the store that are damaged are told of, deleted and replaced', async () => {
  const server = await startKeyserver()
  const store = memorySessionStore()
  const first = await openDevice(server, 'bob', { store })
  await expect.poll(() => first.published, patience).toEqual([full])
  first.directory.close()
  const [damaged = '', cut = ''] = await store.keys('key-package/')
  await store.write(
    new Map([
      [damaged, new Uint8Array(300).fill(7)],
      [cut, new Uint8Array(5)],
    ]),
  )
  const again = await openDevice(server, 'bob', { store })
  await expect.poll(() => again.published.length, patience).toBe(1)
  expect(again.problems).toEqual(['store-corrupted', 'store-corrupted'])
  const keys = await store.keys('key-package/')
  expect(keys).not.toContain(damaged)
  expect(keys).not.toContain(cut)
})

it('a directory that is full is told of, and the keys in vain are deleted', async () => {
  const server = await startKeyserver()
  for (let i = 0; i < 10; i++) {
    const device = await openDevice(server, 'bob')
    await expect.poll(() => device.published, patience).toEqual([full])
  }
  const eleventh = await openDevice(server, 'bob')
  await expect.poll(() => eleventh.problems, patience).toEqual(['keyserver-refused directory-full'])
  expect(await eleventh.store.keys('key-package/')).toEqual([])
})

it('a device that the keyserver will not have is told so, once', async () => {
  const server = await startKeyserver()
  const bob = await openDevice(server, 'bob', { token: 'rubbish' })
  await expect.poll(() => bob.ended, patience).toEqual(['keyserver-refused token-malformed'])
  bob.directory.close()
  expect(bob.clock.pendingTimers).toBe(0)
})
