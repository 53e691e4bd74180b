import { beforeEach, describe, expect, it } from 'vitest'
import { TestFrame, VP8, vp8Frame } from './frames.ts'
import { Call, type Transformer } from './workerCall.ts'

describe('a member who joins while others send', () => {
  let call: Call
  /** Alice is there, and Bob comes with the second epoch. */
  beforeEach(async () => {
    call = new Call()
    call.alice.install(1n)
    await call.send('key')
    call.alice.install(2n)
    call.bob.install(2n)
  })

  it('sees the key frame that the SFU asks for as they join', async () => {
    await call.clock.advanceAsync(300)
    expect(await call.deliver(await call.send('key'))).toBe(1)
    expect(await call.deliver(await call.send())).toBe(1)
    expect(call.screen.keyFramesRequested).toBe(0)
  })

  it('sees the one that the sender makes again where that came under the keys before their time', async () => {
    expect(await call.deliver(await call.send('key'))).toBe(0)
    expect(await call.deliver(await call.send())).toBe(0)
    await call.clock.advanceAsync(299)
    expect(call.camera.keyFramesGenerated).toBe(0)
    await call.clock.advanceAsync(1)
    expect(call.camera.keyFramesGenerated).toBe(1)
    expect(await call.deliver(await call.send('key'))).toBe(1)
    expect(await call.deliver(await call.send())).toBe(1)
    expect(call.screen.keyFramesRequested).toBe(0)
    await call.clock.advanceAsync(5_000)
    expect(call.camera.keyFramesGenerated).toBe(1)
  })

  it('has no key frame made again that went out before they came, or after keys have moved', async () => {
    await call.send()
    await call.clock.advanceAsync(300)
    await call.send('key')
    call.install(3n)
    await call.send()
    await call.clock.advanceAsync(300)
    call.install(4n, { leaves: [0, 1], removedLeaves: [2] })
    await call.clock.advanceAsync(5_000)
    expect(call.camera.keyFramesGenerated).toBe(0)
  })

  it('sees it at once where somebody is removed meanwhile', async () => {
    await call.send('key')
    call.install(3n, { leaves: [0, 1], removedLeaves: [2] })
    expect(call.camera.keyFramesGenerated).toBe(1)
    expect(await call.deliver(await call.send('key'))).toBe(1)
    await call.clock.advanceAsync(5_000)
    expect(call.camera.keyFramesGenerated).toBe(1)
  })

  it('asks for another one where the sender makes none, and frames of theirs open', async () => {
    expect(await call.deliver(await call.send('key'))).toBe(0)
    expect(await call.deliver(await call.send())).toBe(0)
    expect(call.dropped()).toEqual({ 'unknown-key': 2 })
    // Nobody can tell yet that keys will fit.
    expect(call.screen.keyFramesRequested).toBe(0)

    await call.clock.advanceAsync(300)
    expect(await call.deliver(await call.send())).toBe(1)
    expect(call.screen.keyFramesRequested).toBe(1)
    expect(await call.deliver(await call.send('key'))).toBe(1)
    await call.clock.advanceAsync(5_000)
    expect(await call.deliver(await call.send())).toBe(1)
    expect(call.screen.keyFramesRequested).toBe(1)
  })

  it('asks once a second at most on each track, however long no key frame comes', async () => {
    await call.clock.advanceAsync(300)
    const sources = ['camera', 'screen'] as const
    const tracks = sources.map((source): [Transformer, Transformer] => [
      call.alice.sends(source),
      call.bob.receives(0, source),
    ])
    for (let i = 0; i < 100; i++) {
      for (const [sent, got] of tracks) {
        await sent.write(new TestFrame(VP8, vp8Frame('delta', 200), 'delta'))
        await call.alice.settled(sent)
        await got.write(new TestFrame(VP8, sent.out.at(-1)?.bytes ?? new Uint8Array(), 'delta'))
        await call.bob.settled(got)
      }
      await call.clock.advanceAsync(100)
    }
    expect(tracks.map(([, got]) => got.keyFramesRequested)).toEqual([10, 10])
  })
})
