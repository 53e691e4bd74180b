import { FrameOpener, FrameProtector } from '@conclave/client/media'
import type { Bytes } from '@conclave/core/codec'
import { cipherSuite, FrameKeys } from '@conclave/core/sframe'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import {
  anyObus,
  carriedObus,
  FRAME,
  obusOf,
  PADDING,
  SEQUENCE_HEADER,
  type Sizes,
  TEMPORAL_DELIMITER,
  type TestObu,
  temporalUnit,
} from './av1Frames.ts'
import { AV1, aead, bytesOf, epochOf, Pair, sharedWindows } from './frames.ts'

const METADATA = 5
const allSizes = fc.constantFrom<Sizes>('shortest', 'long', 'none-at-end')

describe('protected frames of AV1', () => {
  let pair: Pair
  let opener: FrameOpener
  beforeEach(() => {
    pair = new Pair()
    pair.install(1n)
    opener = new FrameOpener(pair.receiver, { leaf: 0, source: 'camera' })
  })

  const protect = (frame: Bytes) => pair.protect(AV1, frame)

  it('come back to the byte, whatever OBUs and layers they have', async () => {
    await fc.assert(
      fc.asyncProperty(carriedObus, async (obus) => {
        const frame = temporalUnit(obus)
        expect(await opener.open(AV1, await protect(frame))).toEqual({ ok: true, frame })
      }),
      { numRuns: 300 },
    )
  })

  it('come back as RTP carries them: without delimiters and padding, sizes in short', async () => {
    await fc.assert(
      fc.asyncProperty(anyObus, allSizes, async ({ all, carried }, sizes) => {
        const sent = await protect(temporalUnit(all, sizes))
        expect(await opener.open(AV1, sent)).toEqual({ ok: true, frame: temporalUnit(carried) })
      }),
      { numRuns: 300 },
    )
  })

  it('open also when sizes were rewritten under way', async () => {
    await fc.assert(
      fc.asyncProperty(carriedObus, allSizes, async (obus, sizes) => {
        const rewritten = temporalUnit(obusOf(await protect(temporalUnit(obus))), sizes)
        expect(await opener.open(AV1, rewritten)).toEqual({ ok: true, frame: temporalUnit(obus) })
      }),
      { numRuns: 100 },
    )
  })

  it('show header, layer and length of each OBU, and nothing of its payload', async () => {
    await fc.assert(
      fc.asyncProperty(carriedObus, async (obus) => {
        const sent = obusOf(await protect(temporalUnit(obus)))
        const shape = ({ type, extension, payload }: TestObu) => [type, extension, payload.length]
        expect(sent.slice(0, -1).map(shape)).toEqual(obus.map(shape))
        expect(sent.at(-1)?.type).toBe(METADATA)
      }),
      { numRuns: 100 },
    )
    const frame = temporalUnit(sample())
    expect(sharedWindows(await protect(frame), frame)).toBe(0)
  })

  it.each([0x0001, 0x0002, 0x0003, 0x0005])('open under cipher suite %i too', async (suite) => {
    const clock = new VirtualClock()
    const [sender, receiver] = [0, 1].map((leaf) => {
      const keys = new FrameKeys({ aead, clock, suite })
      keys.installEpoch({ ...epochOf(1n, leaf), baseKey: bytesOf(1, cipherSuite(suite).nk) })
      return keys
    }) as [FrameKeys, FrameKeys]
    const frame = temporalUnit(sample())
    const sent = await new FrameProtector(sender, 'camera').protect(AV1, frame)
    const receiving = new FrameOpener(receiver, { leaf: 0, source: 'camera' })
    expect(sent.ok && (await receiving.open(AV1, sent.frame))).toEqual({ ok: true, frame })
  })

  const sample = (): TestObu[] => [
    { type: SEQUENCE_HEADER, extension: undefined, payload: bytesOf(1, 12) },
    { type: FRAME, extension: 0x08, payload: bytesOf(2, 400) },
    { type: FRAME, extension: 0x10, payload: bytesOf(3, 300) },
  ]

  it('with another layer, type, order or length of an OBU are not authentic', async () => {
    const sent = obusOf(await protect(temporalUnit(sample())))
    const [first, second, third, closing] = sent as [TestObu, TestObu, TestObu, TestObu]
    const half = (obu: TestObu) => ({ ...obu, payload: obu.payload.subarray(0, 200) })
    const rest = (obu: TestObu) => ({ ...obu, payload: obu.payload.slice(200) })
    for (const attempt of [
      [first, { ...second, extension: 0x18 }, third, closing],
      [first, { ...second, extension: undefined }, third, closing],
      [{ ...first, type: FRAME }, second, third, closing],
      [first, third, second, closing],
      [first, second, closing],
      [first, half(second), rest(second), third, closing],
    ]) {
      const opened = await opener.open(AV1, temporalUnit(attempt))
      expect(opened).toEqual({ ok: false, reason: 'wrong-key' })
    }
    expect(await opener.open(AV1, temporalUnit(sent))).toMatchObject({ ok: true })
  })

  it.each([
    ['nothing but a delimiter', [(TEMPORAL_DELIMITER << 3) | 2, 0]],
    ['nothing but padding', [(PADDING << 3) | 2, 1, 0]],
    ['the forbidden bit', [0x80 | (FRAME << 3) | 2, 1, 7]],
    ['an extension that is missing', [(FRAME << 3) | 4]],
    ['a size that is missing', [(FRAME << 3) | 2]],
    ['a size beyond its end', [(FRAME << 3) | 2, 9, 1]],
    ['a size of more than 32 bits', [(FRAME << 3) | 2, 255, 255, 255, 255, 127, 1]],
    ['a size without end', [(FRAME << 3) | 2, ...Array(8).fill(0x80), 0]],
    [
      'more OBUs than any encoder makes',
      Array(513)
        .fill([(FRAME << 3) | 2, 0])
        .flat(),
    ],
  ])('are none where a frame has %s', async (_, bytes) => {
    const frame = Uint8Array.from(bytes)
    const refused = { ok: false, reason: 'malformed-frame' }
    const protector = new FrameProtector(pair.sender, 'camera')
    expect(await protector.protect(AV1, frame)).toEqual(refused)
    expect(await opener.open(AV1, frame)).toEqual(refused)
  })

  it('are malformed without the closing metadata, or with one of another kind', async () => {
    const refused = { ok: false, reason: 'malformed-frame' }
    const sent = obusOf(await protect(temporalUnit(sample())))
    const closing = sent.at(-1) as TestObu
    const ending = (payload: Uint8Array<ArrayBuffer>) =>
      temporalUnit([...sent.slice(0, -1), { ...closing, payload }])
    expect(await opener.open(AV1, temporalUnit(sample()))).toEqual(refused)
    expect(await opener.open(AV1, temporalUnit([closing]))).toEqual(refused)
    expect(await opener.open(AV1, ending(new Uint8Array(0)))).toEqual(refused)
    expect(
      await opener.open(AV1, ending(closing.payload.map((b, i) => (i === 0 ? 4 : b)))),
    ).toEqual(refused)
    expect(await opener.open(AV1, ending(closing.payload.subarray(0, -1)))).toEqual(refused)
  })
})
