import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { Presence } from '../../src/ordering/presence.ts'

const graceMs = 10_000

describe('presence', () => {
  let clock: VirtualClock
  let events: string[]
  let presence: Presence

  beforeEach(() => {
    clock = new VirtualClock()
    events = []
    presence = new Presence(clock, graceMs, {
      changed: () => events.push(`present ${presence.present}`),
      overdue: (leaf) => events.push(`overdue ${leaf}`),
      deserted: () => events.push('deserted'),
    })
  })

  test('an added leaf that never attaches is overdue after the grace period', () => {
    presence.added(3)
    clock.advance(graceMs - 1)
    expect(events).toEqual([])
    clock.advance(1)
    expect(events).toContain('overdue 3')
    expect(presence.toRemove).toEqual(new Set([3]))
  })

  test('a leaf that attaches in time is present and not overdue', () => {
    presence.added(0)
    presence.attach(0, 'a')
    clock.advance(10 * graceMs)
    expect(events).toEqual(['present 0'])
    expect(presence.present).toEqual([0])
  })

  test('a leaf that comes back within the grace period is left alone', () => {
    presence.added(0)
    presence.attach(0, 'a')
    presence.detach('a')
    clock.advance(graceMs - 1)
    presence.attach(0, 'b')
    clock.advance(10 * graceMs)
    expect(events).toEqual(['present 0', 'present ', 'present 0'])
    expect(presence.toRemove).toEqual(new Set())
  })

  test('each absence has the whole grace period', () => {
    presence.added(0)
    presence.added(1)
    presence.attach(1, 'other')
    presence.attach(0, 'a')
    presence.detach('a')
    clock.advance(graceMs - 1)
    presence.attach(0, 'b')
    presence.detach('b')
    clock.advance(graceMs - 1)
    expect(events).not.toContain('overdue 0')
    clock.advance(1)
    expect(events).toContain('overdue 0')
  })

  test('a leaf is present as long as one of its connections is there', () => {
    presence.added(0)
    presence.attach(0, 'a')
    presence.attach(0, 'b')
    presence.detach('a')
    expect(presence.present).toEqual([0])
    expect(events).toEqual(['present 0'])
    presence.detach('b')
    expect(presence.present).toEqual([])
  })

  test('a connection speaks for one leaf', () => {
    presence.added(0)
    presence.added(1)
    presence.attach(0, 'a')
    presence.attach(1, 'a')
    expect(presence.present).toEqual([1])
    presence.detach('a')
    expect(presence.present).toEqual([])
  })

  test('a leaf that comes back after the grace period need not be removed any more', () => {
    presence.added(0)
    clock.advance(graceMs)
    presence.attach(0, 'a')
    expect(presence.toRemove).toEqual(new Set())
  })

  test('a leaf that says it leaves is to be removed, connected or not', () => {
    presence.added(0)
    presence.attach(0, 'a')
    presence.leaving(0)
    expect(presence.toRemove).toEqual(new Set([0]))
    presence.detach('a')
    presence.attach(0, 'b')
    expect(presence.toRemove).toEqual(new Set([0]))
    presence.removed(0)
    expect(presence.toRemove).toEqual(new Set())
  })

  test('a removed leaf is forgotten, with its connections and its grace period', () => {
    presence.added(0)
    presence.added(1)
    presence.attach(0, 'a')
    presence.attach(1, 'b')
    presence.detach('b')
    presence.removed(1)
    presence.removed(0)
    expect(presence.present).toEqual([])
    clock.advance(graceMs)
    expect(events.filter((event) => event.startsWith('overdue'))).toEqual([])
    presence.detach('a')
    expect(presence.present).toEqual([])
  })

  test('with nobody there for the grace period the group is deserted', () => {
    presence.added(0)
    presence.attach(0, 'a')
    clock.advance(5 * graceMs)
    presence.detach('a')
    clock.advance(graceMs - 1)
    expect(presence.deserted).toBe(false)
    clock.advance(1)
    expect(presence.deserted).toBe(true)
    expect(events.filter((event) => event === 'deserted')).toHaveLength(1)
  })

  test('somebody who is condemned keeps no group alive', () => {
    presence.added(0)
    presence.added(1)
    presence.attach(0, 'a')
    presence.attach(1, 'b')
    presence.condemn(new Set([0]))
    presence.detach('b')
    clock.advance(graceMs)
    expect(presence.deserted).toBe(true)
    presence.condemn(new Set())
    expect(presence.deserted).toBe(false)
  })

  test('after it is stopped nothing happens', () => {
    presence.added(0)
    presence.stop()
    clock.advance(2 * graceMs)
    expect(events).toEqual([])
    expect(clock.pendingTimers).toBe(0)
  })
})
