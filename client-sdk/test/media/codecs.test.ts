import { FrameOpener, FrameProtector } from '@conclave/client/media'
import type { Bytes } from '@conclave/core/codec'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { bytesOf, OPUS, Pair, sharedWindows, VP8, VP9, vp8Frame } from './frames.ts'

describe('protected frames', () => {
  let pair: Pair
  beforeEach(() => {
    pair = new Pair()
    pair.install(1n)
  })

  const microphone = { leaf: 0, source: 'microphone' } as const
  const camera = { leaf: 0, source: 'camera' } as const

  const protect = (mimeType: string, frame: Bytes) =>
    pair.protect(mimeType, frame, mimeType === OPUS ? 'microphone' : 'camera')

  it('of Opus come back to the byte and leave nothing in clear', async () => {
    const opener = new FrameOpener(pair.receiver, microphone)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 1275 }), async (array) => {
        const frame = Uint8Array.from(array)
        const sent = await protect(OPUS, frame)
        expect(await opener.open(OPUS, sent)).toEqual({ ok: true, frame })
      }),
      { numRuns: 100 },
    )
    const frame = bytesOf(5, 120)
    expect(sharedWindows(await protect(OPUS, frame), frame)).toBe(0)
  })

  it.each([
    ['key', 10],
    ['delta', 1],
  ] as const)('of VP8 show of a %s frame %i clear bytes and no more', async (kind, clear) => {
    const opener = new FrameOpener(pair.receiver, camera)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: clear, max: 5000 }), fc.nat(), async (length, seed) => {
        const frame = vp8Frame(kind, length, seed)
        const sent = await protect(VP8, frame)
        expect(sent.subarray(0, clear)).toEqual(frame.subarray(0, clear))
        expect(await opener.open(VP8, sent)).toEqual({ ok: true, frame })
      }),
      { numRuns: 60 },
    )
    const frame = vp8Frame(kind, 900)
    expect(sharedWindows((await protect(VP8, frame)).subarray(clear), frame)).toBe(0)
  })

  it('of VP8 with a changed clear byte are not authentic', async () => {
    const opener = new FrameOpener(pair.receiver, camera)
    for (let i = 0; i < 10; i++) {
      const sent = await protect(VP8, vp8Frame('key', 400))
      sent[i] = (sent[i] as number) ^ 0x80
      expect(await opener.open(VP8, sent)).toEqual({ ok: false, reason: 'wrong-key' })
    }
  })

  it('of VP9 come back to the byte and leave nothing in clear', async () => {
    const opener = new FrameOpener(pair.receiver, camera)
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 5000 }), async (array) => {
        const frame = Uint8Array.from(array)
        const sent = await protect(VP9, frame)
        expect(await opener.open(VP9, sent)).toEqual({ ok: true, frame })
      }),
      { numRuns: 60 },
    )
    const frame = bytesOf(5, 900)
    expect(sharedWindows(await protect(VP9, frame), frame)).toBe(0)
  })

  it.each(['video/H265', 'audio/PCMU', 'audio/red', undefined])(
    'of %s do not exist: without a rule nothing is sent or opened',
    async (mimeType) => {
      const refusal = { ok: false, reason: 'unsupported-codec' }
      const protector = new FrameProtector(pair.sender, 'camera')
      expect(await protector.protect(mimeType, bytesOf(1, 90))).toEqual(refusal)
      const opener = new FrameOpener(pair.receiver, camera)
      expect(await opener.open(mimeType, await protect(VP8, vp8Frame('key', 90)))).toEqual(refusal)
    },
  )

  it('of VP8 too short for their clear bytes are malformed, both ways', async () => {
    const refusal = { ok: false, reason: 'malformed-frame' }
    const protector = new FrameProtector(pair.sender, 'camera')
    expect(await protector.protect(VP8, vp8Frame('key', 9))).toEqual(refusal)
    const opener = new FrameOpener(pair.receiver, camera)
    expect(await opener.open(VP8, vp8Frame('key', 9))).toEqual(refusal)
  })

  it.each([OPUS, VP8])(
    'of %s that are empty stay unsent, and are nothing where they arrive',
    async (mimeType) => {
      const refusal = { ok: false, reason: 'empty-frame' }
      const protector = new FrameProtector(pair.sender, 'microphone')
      expect(await protector.protect(mimeType, new Uint8Array(0))).toEqual(refusal)
      const opener = new FrameOpener(pair.receiver, microphone)
      expect(await opener.open(mimeType, new Uint8Array(0))).toEqual(refusal)
    },
  )

  it('are refused by name when they come from another source, member or key', async () => {
    const sent = await protect(VP8, vp8Frame('delta', 300))
    const screen = new FrameOpener(pair.receiver, { leaf: 0, source: 'screen' })
    expect(await screen.open(VP8, sent)).toEqual({ ok: false, reason: 'wrong-source' })
    const other = new FrameOpener(pair.receiver, { leaf: 2, source: 'camera' })
    expect(await other.open(VP8, sent)).toEqual({ ok: false, reason: 'wrong-sender' })
    const stranger = new Pair()
    stranger.receiver.installEpoch({
      epoch: 1n,
      baseKey: bytesOf(99, 16),
      ownLeaf: 1,
      leaves: [0, 1],
      removedLeaves: [],
      incarnation: 0,
    })
    const without = new FrameOpener(stranger.receiver, camera)
    expect(await without.open(VP8, sent)).toEqual({ ok: false, reason: 'wrong-key' })
  })
})
