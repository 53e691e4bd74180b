import type { AccessClaims } from '@conclave/core/access'
import { type Bytes, utf8 } from '@conclave/core/codec'
import { nodePublicCrypto } from '@conclave/core/crypto/public/node'
import { unpackMail } from '@conclave/core/delivery'
import { pino } from 'pino'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { createDirectory, type Directory } from '../../src/directory/createDirectory.ts'
import type { DirectoryStore } from '../../src/directory/directory.ts'
import { memoryDirectory } from '../../src/directory/memoryDirectory.ts'
import { StoreError } from '../../src/store/storeError.ts'
import { keyPackage, limits, phone, rate } from './directoryContract.ts'

const day = 24 * 60 * 60_000

let clock: VirtualClock
let store: DirectoryStore
/** How often the store cannot be reached from now on. */
let unreachable: number
let directory: Directory
let log: string[]

beforeEach(async () => {
  clock = new VirtualClock()
  const memory = memoryDirectory()
  unreachable = 0
  store = {
    ...memory,
    deliver: async (...delivery) => {
      if (unreachable === 0) return memory.deliver(...delivery)
      unreachable -= 1
      throw new StoreError('store-unreachable', 'gone for now')
    },
  }
  log = []
  directory = createDirectory({
    store,
    crypto: nodePublicCrypto(),
    clock,
    logger: pino({ level: 'info' }, { write: (line: string) => log.push(line) }),
    notify: { stockLow: () => {}, mail: () => {} },
  })
  onTestFinished(() => directory.close())
  const now = clock.now()
  const keyPackages = ['1', '2'].map((name) => keyPackage(name, now + day))
  await store.publish(phone, { keyPackages, lastResort: null }, limits, now)
  for (const _ of keyPackages) await store.claim('bob', { identity: 'alice', rate }, now)
})

function claims(): AccessClaims {
  return { identity: 'bob', meeting: '*', grants: { join: true }, expiresAt: clock.now() + day }
}

/** A commit that adds the owners of these KeyPackages, at leaves 1, 2, … */
function commit(...refs: readonly string[]): void {
  const at = (leaf: number, text: string) => ({
    ref: utf8(text),
    leafIndex: leaf,
    welcome: utf8(`welcome ${text}`),
  })
  directory.observer.committed(
    { meetingId: 'standup', groupId: utf8('group'), epoch: 3 },
    {
      seq: 7,
      added: refs.map((_, i) => ({ leaf: i + 1, ...phone })),
      removed: [],
      welcomeParts: refs.map((ref, i) => at(i + 1, ref)),
      logBytes: 0,
      ms: 0,
    },
  )
}

const mailbox = async (deviceKey: Bytes = phone.deviceKey) => {
  const reply = await directory.handlers.mailbox(claims(), { deviceKey })
  if (!reply.ok) throw new Error(reply.code)
  return unpackMail(reply.mail)
}
const mail = (ref: string) => ({
  meetingId: 'standup',
  groupId: utf8('group'),
  ref: utf8(ref),
  welcome: utf8(`welcome ${ref}`),
  seq: 7,
})

describe('the Welcomes of a commit', () => {
  test('wait in the mailboxes of those who were claimed, until they are collected', async () => {
    commit('1', 'not from the directory', '2')
    await clock.advanceAsync(0)
    expect(await mailbox()).toEqual([mail('1'), mail('2')])
    const { groupId, ref } = mail('1')
    const collect = { deviceKey: phone.deviceKey, groupId, ref }
    expect(await directory.handlers.collect(claims(), collect)).toEqual({ ok: true })
    expect(await mailbox()).toEqual([mail('2')])
    expect(await mailbox(utf8('another device'))).toEqual([])
  })

  test('wait for thirty days', async () => {
    commit('1')
    await clock.advanceAsync(30 * day - 1)
    expect(await mailbox()).toHaveLength(1)
    clock.advance(1)
    expect(await mailbox()).toEqual([])
  })

  test('are tried again while the store cannot be reached', async () => {
    unreachable = 3
    commit('1', '2')
    await clock.advanceAsync(6_999)
    expect(await mailbox()).toEqual([])
    await clock.advanceAsync(1)
    expect(await mailbox()).toEqual([mail('1'), mail('2')])
    expect(clock.pendingTimers).toBe(0)
  })

  test('are given up after five minutes, which the log says without their bytes', async () => {
    unreachable = Number.POSITIVE_INFINITY
    commit('1')
    await clock.advanceAsync(300_000)
    expect(clock.pendingTimers).toBe(0)
    expect(JSON.parse(log.at(-1) ?? '')).toMatchObject({
      msg: 'Welcomes were not delivered',
      meeting: 'standup',
      epoch: 3,
      code: 'store-unreachable',
    })
    expect(log.join()).not.toContain('welcome 1')
  })

  test('that are under way when the directory closes arrive before it is closed', async () => {
    const delivered: boolean[] = []
    const { deliver } = store
    store.deliver = async (...delivery) => {
      await new Promise((resolve) => setImmediate(resolve))
      const outcome = await deliver(...delivery)
      delivered.push(outcome)
      return outcome
    }
    commit('1', '2')
    await directory.close()
    expect(delivered).toEqual([true, true])
  })

  test('are given up when the directory closes', async () => {
    unreachable = Number.POSITIVE_INFINITY
    commit('1')
    await clock.advanceAsync(1_000)
    await directory.close()
    expect(clock.pendingTimers).toBe(0)
    expect(log.at(-1)).toContain('Welcomes were not delivered')
  })
})

test('a sweep deletes what has expired by the clock', async () => {
  commit('1')
  await clock.advanceAsync(30 * day)
  expect(await directory.sweep()).toBe(1)
  expect(await directory.sweep()).toBe(0)
})
