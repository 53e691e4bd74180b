import { describe, expect, it } from 'vitest'
import { type Notice, NoticeQueue } from '../../src/session/noticeQueue.ts'

const groupId = new Uint8Array(16)

function entry(seq: number, bytes = 10): Notice {
  return { name: 'entry', notice: { groupId, entry: { seq, message: new Uint8Array(bytes) } } }
}
function present(...leaves: number[]): Notice {
  return { name: 'present', notice: { groupId, leaves } }
}
function waiting(bytes: number): Notice {
  return waitingWith({ 1: bytes })
}
/** Who waits, by reference, with so many bytes of a KeyPackage. */
function waitingWith(listed: Readonly<Record<number, number>>, group = groupId): Notice {
  const joiners = Object.entries(listed).map(([ref, bytes]) => ({
    ref: Uint8Array.of(Number(ref)),
    keyPackage: new Uint8Array(bytes),
  }))
  return { name: 'waiting', notice: { groupId: group, joiners } }
}

function drained(queue: NoticeQueue): Notice[] {
  const all: Notice[] = []
  for (let next = queue.take(); next !== undefined; next = queue.take()) all.push(next)
  return all
}

describe('NoticeQueue', () => {
  it('gives notices in the order in which they came', () => {
    const queue = new NoticeQueue()
    const closed: Notice = { name: 'closed', notice: { groupId, reason: 'empty' } }
    const notices = [entry(1), present(1), entry(2), closed]
    for (const notice of notices) queue.offer(notice)
    expect(drained(queue)).toEqual(notices)
    expect(queue.isEmpty).toBe(true)
  })

  it('keeps the newest only of what tells a whole state', () => {
    const queue = new NoticeQueue()
    for (let i = 0; i < 100_000; i++) queue.offer(present(i))
    queue.offer(waiting(1))
    queue.offer(waiting(2))
    expect(drained(queue)).toEqual([present(99_999), waiting(2)])
    expect(queue.takeDropped()).toBe(false)
  })

  it('keeps the KeyPackages of those who still wait, whom a newer list only names', () => {
    const queue = new NoticeQueue()
    queue.offer(waitingWith({ 1: 10, 2: 20 }))
    queue.offer(waitingWith({ 2: 0, 3: 30, 4: 0 }))
    expect(drained(queue)).toEqual([waitingWith({ 2: 20, 3: 30, 4: 0 })])
  })

  it('keeps no KeyPackages of another group', () => {
    const queue = new NoticeQueue()
    queue.offer(waitingWith({ 1: 10 }, new Uint8Array(16).fill(1)))
    queue.offer(waitingWith({ 1: 0 }))
    expect(drained(queue)).toEqual([waitingWith({ 1: 0 })])
  })

  it('drops what exceeds the number that is kept, and says so once', () => {
    const queue = new NoticeQueue()
    for (let i = 0; i < 100_000; i++) queue.offer(entry(i))
    expect(drained(queue)).toHaveLength(4_096)
    expect(queue.takeDropped()).toBe(true)
    expect(queue.takeDropped()).toBe(false)
  })

  it('drops what exceeds the bytes that are kept, whatever it is called', () => {
    const queue = new NoticeQueue()
    const welcome = new Uint8Array(1 << 20)
    for (let i = 0; i < 100; i++) {
      queue.offer({ name: 'welcome', notice: { groupId, ref: groupId, welcome, seq: i } })
    }
    expect(drained(queue)).toHaveLength(16)
    expect(queue.takeDropped()).toBe(true)
    queue.offer(waiting(17 << 20))
    expect(queue.isEmpty).toBe(true)
  })

  it('has room again for what was taken, replaced or cleared', () => {
    const queue = new NoticeQueue()
    const half = 8 << 20
    for (let i = 0; i < 50; i++) {
      queue.offer(entry(1, half))
      queue.offer(waiting(half))
      queue.offer(waiting(half))
      queue.take()
      if (i % 2 === 0) queue.take()
      else queue.clear()
    }
    expect(queue.takeDropped()).toBe(false)
  })
})
