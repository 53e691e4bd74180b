import { describe, expect, it, vi } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import type { WorkerMessage } from '../../src/media/messages.ts'
import { FrameWorker } from '../../src/media/worker/frameWorker.ts'
import {
  aead,
  bytesOf,
  epochShownBy,
  hash,
  OPUS,
  TestFrame,
  unsigned,
  VP8,
  vp8Frame,
} from './frames.ts'
import { Call, sum, Transformer } from './workerCall.ts'

describe('the media worker', () => {
  it('carries frames from a protected sender to an unprotected receiver unchanged', async () => {
    const call = new Call()
    call.install(1n)
    for (let seed = 0; seed < 20; seed++) {
      await call.deliver(await call.send(seed === 0 ? 'key' : 'delta', seed))
    }
    const frames = call.screen.out.map((frame) => frame.bytes)
    expect(frames).toHaveLength(20)
    for (const [seed, frame] of frames.entries()) {
      expect(frame).toEqual(vp8Frame(seed === 0 ? 'key' : 'delta', 200, seed))
    }
    expect(call.alice.stats().senders).toEqual([
      { source: 'camera', epoch: 1n, protected: 20, dropped: {} },
    ])
    expect(call.bob.stats().receivers).toEqual([
      {
        id: call.screen.options.id,
        leaf: 0,
        source: 'camera',
        epoch: 1n,
        opened: 20,
        waiting: 0,
        needsKeyFrame: false,
        dropped: {},
        authenticity: unsigned,
      },
    ])
  })

  it('confirms each transform, and each receiver once more with its first authentic frame', async () => {
    const call = new Call()
    call.install(1n)
    await call.deliver(new TestFrame(VP8, vp8Frame('key', 300), 'key'))
    const { id } = call.screen.options
    expect(call.bob.posted).toEqual([{ type: 'attached', id }])
    await call.deliver(await call.send())
    await call.deliver(await call.send())
    expect(call.bob.posted).toEqual([
      { type: 'attached', id },
      { type: 'authentic', id },
    ])
  })

  it('attaches a transform whose event came before the start', () => {
    const posted: WorkerMessage[] = []
    const clock = new VirtualClock()
    const worker = new FrameWorker({ clock, aead, hash, post: (message) => posted.push(message) })
    worker.attach(new Transformer({ id: 7, direction: 'send', source: 'camera', isRenewed: false }))
    expect(posted).toEqual([])
    worker.handle({ type: 'start', suite: 4, isListing: false })
    expect(posted).toEqual([{ type: 'attached', id: 7 }])
  })

  it('sends nothing before the first key, and then starts with a key frame', async () => {
    const call = new Call()
    expect(await call.send('key')).toBeUndefined()
    expect(await call.send()).toBeUndefined()
    expect(call.alice.stats().senders[0]?.dropped).toEqual({ 'no-key': 2 })
    expect(call.camera.keyFramesGenerated).toBe(0)
    call.install(1n)
    expect(call.camera.keyFramesGenerated).toBe(1)
    expect(await call.send('key')).toBeDefined()
    call.install(2n)
    expect(call.camera.keyFramesGenerated).toBe(1)
  })

  it('drops and counts what comes in clear', async () => {
    const call = new Call()
    call.install(1n)
    for (let seed = 0; seed < 50; seed++) {
      expect(await call.deliver(new TestFrame(VP8, vp8Frame('delta', 90, seed), 'delta'))).toBe(0)
    }
    await call.clock.advanceAsync(2_000)
    expect(sum(call.dropped() ?? {})).toBe(50)
    expect(call.screen.out).toEqual([])
  })

  it('drops replays, other sources and flipped bits by name, and recovers with the next frame', async () => {
    const call = new Call()
    call.install(1n)
    const frame = await call.send('key')
    const copy = frame && new TestFrame(VP8, frame.bytes, 'key')
    expect(await call.deliver(frame)).toBe(1)
    expect(await call.deliver(copy)).toBe(0)

    const microphone = call.alice.sends('microphone')
    await microphone.write(new TestFrame(OPUS, bytesOf(1, 60)))
    await call.alice.settled(microphone)
    const sound = microphone.out[0]?.bytes ?? new Uint8Array(0)
    const moved = new Uint8Array([0x01, ...sound])
    expect(await call.deliver(new TestFrame(VP8, moved, 'delta'))).toBe(0)

    const flipped = (await call.send())?.bytes ?? new Uint8Array(0)
    flipped[100] = (flipped[100] as number) ^ 1
    expect(await call.deliver(new TestFrame(VP8, flipped, 'delta'))).toBe(0)
    expect(call.dropped()).toEqual({ replayed: 1, 'wrong-source': 1, tampered: 1 })
    expect(await call.deliver(await call.send())).toBe(1)
  })

  it('lets frames wait for a key that comes within two seconds, and delivers them in order', async () => {
    const call = new Call()
    call.install(1n)
    call.alice.install(2n, { leaves: [0, 1], removedLeaves: [2] })
    for (let seed = 0; seed < 5; seed++)
      expect(await call.deliver(await call.send('delta', seed))).toBe(0)
    expect(call.bob.stats().receivers[0]).toMatchObject({ waiting: 5, opened: 0, dropped: {} })
    await call.clock.advanceAsync(1_999)
    call.bob.install(2n, { leaves: [0, 1], removedLeaves: [2] })
    await call.deliver(await call.send('delta', 5))
    expect(call.screen.out.map((frame) => frame.bytes)).toEqual(
      [0, 1, 2, 3, 4, 5].map((seed) => vp8Frame('delta', 200, seed)),
    )
  })

  it('drops a frame whose key does not come within two seconds', async () => {
    const call = new Call()
    call.install(1n)
    call.alice.install(2n, { leaves: [0, 1] })
    await call.deliver(await call.send())
    await call.clock.advanceAsync(2_000)
    expect(call.bob.stats().receivers[0]).toMatchObject({
      waiting: 0,
      dropped: { 'wait-expired': 1 },
    })
    call.bob.install(2n, { leaves: [0, 1] })
    expect(await call.deliver(await call.send())).toBe(1)
  })

  it('keeps no more than 120 frames and 4 MiB waiting, the newest', async () => {
    const call = new Call()
    call.alice.install(1n)
    for (let i = 0; i < 125; i++) await call.deliver(await call.send())
    expect(call.bob.stats().receivers[0]).toMatchObject({
      waiting: 120,
      dropped: { 'wait-overflow': 5 },
    })

    const large = new TestFrame(VP8, vp8Frame('key', 3 * 1024 * 1024), 'key')
    await call.camera.write(large)
    await call.alice.settled(call.camera)
    await call.deliver(new TestFrame(VP8, large.bytes, 'key'))
    await call.deliver(new TestFrame(VP8, large.bytes, 'key'))
    expect(call.bob.stats().receivers[0]?.waiting).toBe(1)
  })

  it('asks for a key frame, once a second, after video was lost to its key', async () => {
    const call = new Call()
    call.alice.install(1n)
    await call.deliver(await call.send('key'))
    await call.clock.advanceAsync(2_000)
    call.bob.install(1n)
    for (let i = 0; i < 3; i++) await call.deliver(await call.send())
    expect(call.screen.keyFramesRequested).toBe(1)
    await call.clock.advanceAsync(1_000)
    await call.deliver(await call.send())
    expect(call.screen.keyFramesRequested).toBe(2)
    await call.deliver(await call.send('key'))
    await call.clock.advanceAsync(5_000)
    await call.deliver(await call.send())
    expect(call.screen.keyFramesRequested).toBe(2)
  })

  it('asks for a key frame with the first frame that it opens, where that is none', async () => {
    const call = new Call()
    call.install(1n)
    const screen = call.bob.receives(0, 'camera')
    await screen.write((await call.send('delta')) as TestFrame)
    await call.bob.settled(screen)
    expect(screen.out).toHaveLength(1)
    expect(screen.keyFramesRequested).toBe(1)
  })

  it('makes a key frame when frames were lost with the worker before', async () => {
    const call = new Call()
    call.install(1n)
    const screen = call.alice.sends('screen', true)
    for (let i = 0; i < 2; i++)
      await screen.write(new TestFrame(VP8, vp8Frame('delta', 200), 'delta'))
    await call.alice.settled(screen)
    expect(screen.out).toHaveLength(2)
    expect(screen.keyFramesGenerated).toBe(1)
  })

  it('leaves key frames to the page where transformers make none', async () => {
    const call = new Call()
    call.install(1n)
    const lost = new Transformer({ id: 7, direction: 'send', source: 'screen', isRenewed: true })
    const { options, readable, writable } = lost
    call.alice.worker.attach({ options, readable, writable })
    await lost.write(new TestFrame(VP8, vp8Frame('delta', 200), 'delta'))
    await lost.end()
    expect(call.alice.posted).toContainEqual({ type: 'key-frame-needed', id: 7 })
  })

  it('answers when it is asked whether it is there, and tells when frames have ended', async () => {
    const call = new Call()
    call.install(1n)
    call.alice.worker.handle({ type: 'ping' })
    expect(call.alice.posted.at(-1)).toEqual({ type: 'pong' })
    await call.camera.end()
    await new Promise((resolve) => setImmediate(resolve))
    expect(call.alice.posted.at(-1)).toEqual({ type: 'detached', id: call.camera.options.id })
  })

  it('takes streams from the page where the browser gives no transforms', async () => {
    const call = new Call()
    call.install(1n)
    const streams = new Transformer({
      id: 9,
      direction: 'send',
      source: 'screen',
      isRenewed: false,
    })
    const { options, readable, writable } = streams
    call.alice.worker.handle({ type: 'attach', options, readable, writable })
    expect(call.alice.posted.at(-1)).toEqual({ type: 'attached', id: 9 })
    await streams.write(new TestFrame(VP8, vp8Frame('key', 200), 'key'))
    await vi.waitFor(() => expect(streams.out[0]?.bytes).toHaveLength(220))
  })

  it('moves the sender to a new epoch 300 ms later, at once after a removal', async () => {
    const call = new Call()
    call.install(1n)
    call.install(2n)
    await call.clock.advanceAsync(299)
    expect(epochShownBy((await call.send())?.bytes ?? new Uint8Array(0), 1)).toBe(1)
    await call.clock.advanceAsync(1)
    expect(epochShownBy((await call.send())?.bytes ?? new Uint8Array(0), 1)).toBe(2)
    call.install(3n, { leaves: [0, 1], removedLeaves: [2] })
    expect(epochShownBy((await call.send())?.bytes ?? new Uint8Array(0), 1)).toBe(3)
  })

  it('opens frames under an old key for 10 s, for 2 s after a removal', async () => {
    for (const [life, changes] of [
      [10_000, {}],
      [2_000, { leaves: [0, 1], removedLeaves: [2] }],
    ] as const) {
      const call = new Call()
      call.install(1n)
      const [inTime, late] = [await call.send(), await call.send()]
      call.install(2n, changes)
      await call.clock.advanceAsync(life - 1)
      expect(await call.deliver(inTime)).toBe(1)
      await call.clock.advanceAsync(1)
      expect(await call.deliver(late)).toBe(0)
      expect(call.dropped()).toEqual({ 'unknown-key': 1 })
    }
  })

  it("refuses a removed member's frames at once", async () => {
    const call = new Call()
    call.install(1n)
    const [before, after] = [await call.send(), await call.send()]
    expect(await call.deliver(before)).toBe(1)
    call.bob.install(2n, { leaves: [1, 2], removedLeaves: [0] })
    expect(await call.deliver(after)).toBe(0)
    expect(call.dropped()).toEqual({ 'removed-sender': 1 })
  })

  it('expects another member when told so, and does not forget what was replayed', async () => {
    const call = new Call()
    call.install(1n)
    const frame = await call.send('key')
    const copy = frame && new TestFrame(VP8, frame.bytes, 'key')
    expect(await call.deliver(frame)).toBe(1)
    const { id } = call.screen.options
    call.bob.worker.handle({ type: 'expect', id, sender: { leaf: 2, source: 'camera' } })
    expect(call.bob.posted.at(-1)).toEqual({ type: 'attached', id })
    expect(await call.deliver(await call.send())).toBe(0)
    call.bob.worker.handle({ type: 'expect', id, sender: { leaf: 0, source: 'camera' } })
    expect(await call.deliver(copy)).toBe(0)
    expect(call.dropped()).toEqual({ 'wrong-sender': 1, replayed: 1 })
    expect(await call.deliver(await call.send())).toBe(1)
    expect(call.bob.posted.at(-1)).toEqual({ type: 'authentic', id })
  })

  it('asks for a key frame of another member who is expected, before whose first one nothing shows', async () => {
    const call = new Call()
    call.install(1n)
    await call.deliver(await call.send('key'))
    const { id } = call.screen.options
    call.bob.worker.handle({ type: 'expect', id, sender: { leaf: 0, source: 'camera' } })
    expect(call.bob.stats().receivers[0]?.needsKeyFrame).toBe(false)
    await call.deliver(await call.send())
    expect(call.bob.stats().receivers[0]?.needsKeyFrame).toBe(true)
    expect(call.screen.keyFramesRequested).toBe(1)
    await call.deliver(await call.send('key'))
    expect(call.bob.stats().receivers[0]?.needsKeyFrame).toBe(false)
  })

  it('reports an epoch that it cannot take and goes on under the one it has', async () => {
    const call = new Call()
    call.install(5n)
    call.bob.install(6n, { leaves: [0, 1, 1024] })
    expect(call.bob.posted).toEqual([
      { type: 'epoch-refused', epoch: 6n, code: 'sframe-leaf-out-of-range' },
    ])
    expect(await call.deliver(await call.send())).toBe(1)
  })

  it('forgets a transform when its track ends', async () => {
    const call = new Call()
    call.install(1n)
    await call.deliver(await call.send())
    expect(call.bob.stats().receivers).toHaveLength(1)
    await call.screen.end()
    await new Promise((resolve) => setImmediate(resolve))
    expect(call.bob.stats().receivers).toEqual([])
  })

  it('carries nothing more once closed, and leaves no timer behind', async () => {
    const call = new Call()
    call.install(1n)
    const frame = await call.send()
    call.install(2n)
    call.alice.worker.handle({ type: 'close' })
    call.bob.worker.handle({ type: 'close' })
    expect(call.bob.posted.at(-1)).toEqual({ type: 'closed' })
    await call.camera.write(new TestFrame(VP8, vp8Frame('key', 200), 'key'))
    await call.camera.end()
    expect(call.camera.out).toHaveLength(1)
    if (frame !== undefined) await call.screen.write(frame)
    await call.screen.end()
    expect(call.screen.out).toEqual([])
    expect(call.clock.pendingTimers).toBe(0)
  })

  it('follows a sender whose leaf is another in the group that continues theirs', async () => {
    const call = new Call()
    call.install(5n)
    const { screen } = call
    const before = (await call.send('key')) as TestFrame
    const continues = new Map([
      [1, 0],
      [0, 1],
    ])
    const baseKey = () => new Uint8Array(16).fill(77)
    const leaves = [0, 1]
    call.alice.install(1n, { baseKey: baseKey(), ownLeaf: 1, leaves, continues })
    call.bob.install(1n, { baseKey: baseKey(), ownLeaf: 0, leaves, continues })
    const after = (await call.send('delta', 2)) as TestFrame
    for (const frame of [before, after]) await screen.write(frame)
    await call.bob.settled(screen)
    expect(call.bob.stats().receivers).toMatchObject([{ leaf: 1, opened: 2, dropped: {} }])
  })

  it('hears nobody at the leaf of somebody who has not come along', async () => {
    const call = new Call()
    call.install(5n)
    const { screen } = call
    const continues = new Map([
      [1, 0],
      [2, 1],
    ])
    const before = (await call.send('key')) as TestFrame
    call.bob.install(1n, { ownLeaf: 0, leaves: [0, 1], continues })
    await screen.write(before)
    await call.bob.settled(screen)
    expect(call.bob.stats().receivers).toMatchObject([{ leaf: -1, opened: 0 }])
  })
})
