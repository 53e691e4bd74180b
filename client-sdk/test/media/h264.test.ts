import { FrameOpener, FrameProtector } from '@conclave/client/media'
import { type Bytes, concatBytes } from '@conclave/core/codec'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { bytesOf, H264, Pair, sharedWindows } from './frames.ts'
import {
  accessUnits,
  byteStream,
  carried,
  IDR_SLICE,
  isBroken,
  PPS,
  SEI,
  SLICE,
  SPS,
  type TestUnit,
  unitsOf,
} from './h264Frames.ts'

const START_CODE = Uint8Array.of(0, 0, 0, 1)
const READABLE = [7, 8, 9]

describe('protected frames of H.264', () => {
  let pair: Pair
  let opener: FrameOpener
  beforeEach(() => {
    pair = new Pair()
    pair.install(1n)
    opener = new FrameOpener(pair.receiver, { leaf: 0, source: 'camera' })
  })

  const protect = (frame: Bytes) => pair.protect(H264, frame)

  it('come back to the byte, whatever units, slices and start codes they have', async () => {
    await fc.assert(
      fc.asyncProperty(accessUnits, async (units) => {
        const frame = byteStream(units)
        expect(await opener.open(H264, await protect(frame))).toEqual({ ok: true, frame })
      }),
      { numRuns: 300 },
    )
  })

  it('consist of the readable units and one slice, and have no start code inside', async () => {
    await fc.assert(
      fc.asyncProperty(accessUnits, async (units) => {
        const sent = unitsOf(await protect(byteStream(units)))
        const firstSlice = units.findIndex(({ type }) => type === SLICE || type === IDR_SLICE)
        const leading = units.slice(0, firstSlice).filter(({ type }) => READABLE.includes(type))
        expect(sent.slice(0, -1)).toEqual(leading.map(({ bytes }) => bytes))
        const slice = sent.at(-1) as Uint8Array
        expect(slice.subarray(0, 3)).toEqual(units[firstSlice]?.bytes.subarray(0, 3))
        expect(slice.at(-1)).not.toBe(0)
        expect(isBroken(slice)).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  it('open also with start codes of another length', async () => {
    await fc.assert(
      fc.asyncProperty(accessUnits, async (units) => {
        const opened = await opener.open(H264, carried(await protect(byteStream(units))))
        expect(opened.ok && unitsOf(opened.frame)).toEqual(units.map(({ bytes }) => bytes))
      }),
      { numRuns: 100 },
    )
  })

  const unit = (type: number, body: Uint8Array): TestUnit => ({
    startCode: START_CODE,
    type,
    bytes: concatBytes(Uint8Array.of(0x60 | type), body, Uint8Array.of(0x80)),
  })
  const keyFrame = () => [
    unit(
      SPS,
      bytesOf(1, 20).map((byte) => byte | 4),
    ),
    unit(
      SEI,
      bytesOf(2, 60).map((byte) => byte | 4),
    ),
    unit(
      PPS,
      bytesOf(3, 6).map((byte) => byte | 4),
    ),
    unit(
      IDR_SLICE,
      bytesOf(4, 400).map((byte) => byte | 4),
    ),
    unit(
      IDR_SLICE,
      bytesOf(5, 300).map((byte) => byte | 4),
    ),
  ]

  it('leave nothing of SEI and slices in clear', async () => {
    const [, sei, , ...slices] = keyFrame()
    const sent = await protect(byteStream(keyFrame()))
    for (const hidden of [sei, ...slices]) {
      expect(sharedWindows(sent, (hidden as TestUnit).bytes)).toBe(0)
    }
  })

  it('with a changed, missing or added readable byte are not authentic', async () => {
    const refused = { ok: false, reason: 'wrong-key' }
    const frame = byteStream(keyFrame())
    const [sps, pps, slice] = unitsOf(await protect(frame)) as [Uint8Array, Uint8Array, Uint8Array]
    const join = (...units: Uint8Array[]) =>
      concatBytes(...units.flatMap((bytes) => [START_CODE, bytes]))
    const longer = (bytes: Uint8Array) => concatBytes(bytes, Uint8Array.of(4))
    const changed = (bytes: Uint8Array, at: number) =>
      bytes.map((byte, i) => (i === at ? byte ^ 8 : byte))
    for (const attempt of [
      join(pps, slice),
      join(pps, sps, slice),
      join(sps, sps, pps, slice),
      join(longer(sps), pps, slice),
      join(changed(sps, 5), pps, slice),
      join(sps, pps, changed(slice, 2)),
    ]) {
      expect(await opener.open(H264, attempt)).toEqual(refused)
    }
    expect(await opener.open(H264, join(sps, pps, slice))).toEqual({ ok: true, frame })
  })

  it.each([
    ['no start code', [1, 2, 3, 4, 5]],
    ['bytes before the first start code', [9, 0, 0, 1, 0x65, 1, 2, 3]],
    ['no slice', [0, 0, 0, 1, 0x67, 1, 2, 3]],
    ['an empty unit', [0, 0, 1, 0, 0, 1, 0x65, 1, 2, 3]],
    ['a slice of two bytes', [0, 0, 0, 1, 0x65, 1]],
    [
      'more leading units than any encoder makes',
      [...Array(65).fill([0, 0, 1, 0x67, 1]), 0, 0, 1, 0x65, 1, 2, 3].flat(),
    ],
  ])('are none where a frame has %s', async (_, bytes) => {
    const frame = Uint8Array.from(bytes)
    const protector = new FrameProtector(pair.sender, 'camera')
    const refused = { ok: false, reason: 'malformed-frame' }
    expect(await protector.protect(H264, frame)).toEqual(refused)
    expect(await opener.open(H264, frame)).toEqual(refused)
  })

  it('are malformed with another unit behind the slice, SEI before it, or an open end', async () => {
    const sent = await protect(byteStream(keyFrame()))
    const refused = { ok: false, reason: 'malformed-frame' }
    const slice = Uint8Array.of(0, 0, 0, 1, 0x65, 1, 2, 3, 0x80)
    expect(await opener.open(H264, concatBytes(sent, slice))).toEqual(refused)
    const sei = Uint8Array.of(0, 0, 0, 1, 0x66, 1, 0x80)
    expect(await opener.open(H264, concatBytes(sei, sent))).toEqual(refused)
    expect(await opener.open(H264, sent.subarray(0, -1))).toMatchObject({ ok: false })
  })
})
