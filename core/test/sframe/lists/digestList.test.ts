import { emptyBytes, encode } from '@conclave/core/codec'
import {
  DigestList,
  decodeDigestList,
  decodeSignedList,
  digestListTbs,
  encodeTrailer,
  frameDigest,
  listedFrames,
  MAX_LAYERS,
  MAX_LISTED_FRAMES,
  SignedDigestList,
  splitTrailer,
} from '@conclave/core/sframe'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hash } from './listedTrack.ts'

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const bytes = (constraints: fc.IntArrayConstraints) =>
  fc.uint8Array(constraints).map((array) => Uint8Array.from(array))

const lists: fc.Arbitrary<DigestList> = fc.record({
  epoch: uint64,
  kid: uint64,
  layer: fc.nat(255),
  layers: bytes({ maxLength: MAX_LAYERS }),
  first: fc.bigInt({ min: 0n, max: 2n ** 63n }),
  frames: fc.array(
    fc.record({
      step: fc.integer({ min: 1, max: 0xffff }),
      digest: bytes({ minLength: 16, maxLength: 16 }),
    }),
    { minLength: 1, maxLength: MAX_LISTED_FRAMES },
  ),
})

const frames = fc.record({
  kid: uint64,
  ctr: uint64,
  layer: fc.nat(255),
  metadata: bytes({ maxLength: 20 }),
  content: bytes({ maxLength: 80 }),
})

describe('a list of digests', () => {
  it('is read back, and names the counters of its frames in order', () => {
    fc.assert(
      fc.property(lists, (list) => {
        expect(decodeDigestList(encode(DigestList, list))).toEqual(list)
        const counters = [...listedFrames(list).keys()]
        const steps = list.frames.map(({ step }) => BigInt(step))
        expect(counters.map((ctr, i) => ctr - (counters[i - 1] ?? list.first))).toEqual(steps)
      }),
    )
  })

  it('fits with its signature beside a frame of Opus', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const signature = new Uint8Array(64)
        const signed = encode(SignedDigestList, { list: encode(DigestList, list), signature })
        expect(signed.length).toBeLessThanOrEqual(700)
      }),
    )
  })

  it('is none where it lists nothing, a counter twice, or is cut or followed by more', () => {
    const digest = new Uint8Array(16)
    const list = { epoch: 1n, kid: 2n, layer: 0, layers: Uint8Array.of(0), first: 5n }
    const encoded = encode(DigestList, { ...list, frames: [{ step: 0, digest }] })
    expect(decodeDigestList(encoded)).toBeDefined()
    expect(decodeDigestList(encode(DigestList, { ...list, frames: [] }))).toBeUndefined()
    const twice = [
      { step: 1, digest },
      { step: 0, digest },
    ]
    expect(decodeDigestList(encode(DigestList, { ...list, frames: twice }))).toBeUndefined()
    expect(decodeDigestList(encoded.slice(0, -1))).toBeUndefined()
    expect(decodeDigestList(Uint8Array.from([...encoded, 0]))).toBeUndefined()
    expect(decodeSignedList(encoded)).toBeUndefined()
  })

  it('never throws out of its reader, whatever the bytes', () => {
    fc.assert(
      fc.property(bytes({ maxLength: 900 }), (array) => {
        decodeDigestList(array)
        decodeSignedList(array)
        splitTrailer(array)
      }),
    )
  })

  it('is signed for one group', () => {
    const list = Uint8Array.of(1, 2, 3)
    const signed = digestListTbs(Uint8Array.of(1), list)
    expect(signed).not.toEqual(digestListTbs(Uint8Array.of(2), list))
    // Neither does a longer group id with a shorter list make the same bytes.
    expect(signed).not.toEqual(digestListTbs(Uint8Array.of(1, 3, 1), Uint8Array.of(2, 3)))
  })
})

describe('the digest of a frame', () => {
  it('is another for every other frame, place, layer and border between its parts', async () => {
    await fc.assert(
      fc.asyncProperty(frames, frames, async (frame, other) => {
        const digest = await frameDigest(hash, frame)
        expect(digest).toHaveLength(16)
        expect(await frameDigest(hash, { ...frame })).toEqual(digest)
        for (const [name, value] of Object.entries(other)) {
          const changed = { ...frame, [name]: value }
          const isSame = String(value) === String(frame[name as keyof typeof frame])
          const changedDigest = await frameDigest(hash, changed)
          if (isSame) expect(changedDigest).toEqual(digest)
          else expect(changedDigest).not.toEqual(digest)
        }
        const [first, ...rest] = frame.content
        if (first !== undefined) {
          const metadata = Uint8Array.from([...frame.metadata, first])
          const moved = { ...frame, metadata, content: Uint8Array.from(rest) }
          expect(await frameDigest(hash, moved)).not.toEqual(digest)
        }
      }),
    )
  })
})

describe('the trailer of a frame', () => {
  it('comes off again, with layer and list', () => {
    fc.assert(
      fc.property(
        bytes({ maxLength: 300 }),
        bytes({ maxLength: 700 }),
        fc.nat(255),
        (content, list, layer) => {
          const plaintext = Uint8Array.from([...content, ...encodeTrailer({ layer, list })])
          expect(splitTrailer(plaintext)).toEqual({ content, layer, list })
        },
      ),
    )
  })

  it('is none where the plaintext is too short for it or for what it says', () => {
    expect(splitTrailer(emptyBytes)).toBeUndefined()
    expect(splitTrailer(Uint8Array.of(0, 1))).toBeUndefined()
    expect(splitTrailer(Uint8Array.of(9, 0, 2, 5))).toBeUndefined()
    expect(splitTrailer(Uint8Array.of(9, 0, 1, 5))).toEqual({
      content: emptyBytes,
      layer: 5,
      list: Uint8Array.of(9),
    })
  })
})
