import { FrameOpener, FrameProtector, FrameWitness } from '@conclave/client/media'
import type { Bytes } from '@conclave/core/codec'
import {
  type AuthenticityStats,
  FrameKeys,
  FrameLister,
  MAX_WAITING_LISTS,
  type MediaSource,
} from '@conclave/core/sframe'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import { carriedObus, temporalUnit } from './av1Frames.ts'
import {
  AV1,
  aead,
  bytesOf,
  epochOf,
  H264,
  hash,
  OPUS,
  Pair,
  TestFrame,
  type TestLayer,
  VP8,
  VP9,
  vp8Frame,
} from './frames.ts'
import { accessUnits, byteStream, carried, isBroken, unitsOf } from './h264Frames.ts'
import { LeafPage } from './leafPage.ts'
import { Member, type Transformer } from './workerCall.ts'

/** Alice (leaf 0) lists what she sends, Bob (leaf 1) receives it: the media workers of both. */
class ListedCall {
  readonly clock = new VirtualClock()
  readonly alice: Member
  readonly bob: Member
  readonly #from: Transformer
  readonly #to: Transformer

  constructor(source: MediaSource = 'camera', alicesPage = new LeafPage(0), isListing = true) {
    this.alice = new Member(0, this.clock, { isListing, page: alicesPage })
    this.bob = new Member(1, this.clock, { isListing, page: new LeafPage(1) })
    this.#from = this.alice.sends(source)
    this.#to = this.bob.receives(0, source)
  }

  install(epoch: bigint, changes: Parameters<Member['install']>[1] = {}): void {
    this.alice.install(epoch, changes)
    this.bob.install(epoch, changes)
  }

  /** A frame as it leaves Alice, 33 ms after the one before. */
  async send(frame: Bytes, mimeType = VP8, layer: TestLayer = {}): Promise<TestFrame> {
    await this.clock.advanceAsync(33)
    const before = this.#from.out.length
    const type = mimeType === OPUS ? undefined : 'delta'
    await this.#from.write(new TestFrame(mimeType, frame, type, layer))
    await this.alice.settled(this.#from)
    const sent = this.#from.out[before]
    if (sent === undefined) throw new Error('not sent')
    return new TestFrame(mimeType, sent.bytes, type)
  }

  /** How many frames come out at Bob's. */
  async deliver(frame: TestFrame): Promise<number> {
    const before = this.#to.out.length
    await this.#to.write(frame)
    await this.bob.settled(this.#to)
    return this.#to.out.length - before
  }

  async run(frames: number, layer: TestLayer = {}): Promise<void> {
    for (let i = 0; i < frames; i++) {
      expect(await this.deliver(await this.send(vp8Frame('delta', 200, i), VP8, layer))).toBe(1)
    }
    await this.clock.advanceAsync(0)
  }

  get authenticity(): AuthenticityStats | undefined {
    return this.bob.stats().receivers[0]?.authenticity
  }
}

/** Mallory (leaf 2) has the group's key and makes frames as if she were Alice. */
function malloryAsAlice(call: ListedCall, isListing: boolean): FrameProtector {
  const { clock } = call
  const keys = new FrameKeys({ aead, clock })
  keys.installEpoch(epochOf(1n, 0))
  const page = new LeafPage(2)
  const lister = new FrameLister({ clock, hash, sign: (list) => page.sign(list) })
  return new FrameProtector(keys, 'camera', isListing ? lister : undefined)
}

async function forge(protector: FrameProtector, seed = 99): Promise<TestFrame> {
  const result = await protector.protect(VP8, vp8Frame('delta', 200, seed))
  if (!result.ok) throw new Error(result.reason)
  await result.listed
  return new TestFrame(VP8, result.frame, 'delta')
}

describe('a media worker that lists what it sends', () => {
  let call: ListedCall
  beforeEach(() => {
    call = new ListedCall()
    call.install(1n)
  })

  it('has the others find its frames authenticated, and its lists alone', async () => {
    await call.run(90)
    expect(call.authenticity).toMatchObject({
      verdict: 'authenticated',
      forged: 0,
      listsRefused: 0,
      listsDropped: 0,
    })
    expect(call.authenticity?.proven).toBeGreaterThan(50)
    expect(call.alice.stats().senders[0]).toMatchObject({ protected: 90, listsDropped: 0 })
  })

  it('is authenticated at once in the epochs that follow', async () => {
    await call.run(60)
    for (let epoch = 2n; epoch < 12n; epoch++) {
      call.install(epoch)
      await call.run(20)
      expect(call.authenticity).toMatchObject({ verdict: 'authenticated', forged: 0 })
    }
  })

  it('is authenticated again after the group went on in another one', async () => {
    await call.run(70)
    const continues = new Map([
      [0, 0],
      [1, 1],
    ])
    // Epochs count anew: the KID is the same, and so are counters, but not the key.
    for (const member of [call.alice, call.bob]) {
      member.install(1n, { leaves: [0, 1], continues, baseKey: bytesOf(77, 16) })
    }
    await call.run(10)
    expect(call.authenticity).toMatchObject({ verdict: 'pending', forged: 0, listsRefused: 0 })
    await call.run(60)
    expect(call.authenticity).toMatchObject({ verdict: 'authenticated', forged: 0 })
  })

  it('goes on under a new incarnation where the worker was replaced', async () => {
    await call.run(60)
    const replaced = new Member(0, call.clock, { isListing: true, page: new LeafPage(0) })
    replaced.install(1n, { incarnation: 1 })
    const camera = replaced.sends('camera', true)
    for (let i = 0; i < 60; i++) {
      await call.clock.advanceAsync(33)
      await camera.write(new TestFrame(VP8, vp8Frame('delta', 200, i), 'delta'))
      await replaced.settled(camera)
      expect(await call.deliver(new TestFrame(VP8, camera.out[i]?.bytes ?? bytesOf(1, 1)))).toBe(1)
      expect(call.authenticity).toMatchObject({ verdict: 'authenticated', forged: 0 })
    }
  })

  it('asks its page for no more signatures than can wait, and drops what is not signed', async () => {
    const silent = new LeafPage(0)
    silent.sign = () => {
      silent.asked++
      return new Promise(() => {})
    }
    call = new ListedCall('camera', silent)
    call.install(1n)
    for (let i = 0; i < 400; i++) await call.deliver(await call.send(vp8Frame('delta', 50, i)))
    expect(silent.asked).toBe(MAX_WAITING_LISTS)
    expect(call.alice.stats().senders[0]?.listsDropped).toBeGreaterThan(5)
    expect(call.authenticity).toMatchObject({ verdict: 'unverified', proven: 0 })
  })

  it('has each layer bring its own lists, in frames that all receivers of the layer get', async () => {
    const layers = [
      { synchronizationSource: 1, temporalIndex: 0 },
      { synchronizationSource: 1, temporalIndex: 1 },
      { synchronizationSource: 2, spatialIndex: 0 },
      { synchronizationSource: 2, spatialIndex: 1 },
    ]
    const arriving: [string, (layer: TestLayer) => boolean][] = [
      ['one layer of simulcast', ({ synchronizationSource }) => synchronizationSource === 1],
      ['its lower temporal layer', (layer) => layer === layers[0]],
      ['one spatial layer', (layer) => layer === layers[3]],
      ['both', ({ synchronizationSource }) => synchronizationSource === 2],
    ]
    for (const [what, arrives] of arriving) {
      call = new ListedCall()
      call.install(1n)
      for (let i = 0; i < 200; i++) {
        const layer = layers[i % layers.length] as TestLayer
        const sent = await call.send(vp8Frame('delta', 100, i), VP8, layer)
        if (arrives(layer)) await call.deliver(sent)
      }
      expect([what, call.authenticity]).toMatchObject([
        what,
        { verdict: 'authenticated', forged: 0 },
      ])
    }
  })

  it('keeps packets of sound within what need not be fragmented', async () => {
    for (const length of [1, 80, 300, 480]) {
      call = new ListedCall('microphone')
      call.install(1n)
      const lengths = new Set<number>()
      for (let i = 0; i < 160; i++) {
        const sent = await call.send(bytesOf(i, length), OPUS)
        lengths.add(sent.bytes.length)
        await call.deliver(sent)
      }
      expect(Math.max(...lengths)).toBeLessThan(1_190)
      expect(lengths.size).toBeGreaterThan(1)
      expect(call.authenticity).toMatchObject({ verdict: 'authenticated', forged: 0 })
    }
  })
})

describe('a member who makes frames of another', () => {
  let call: ListedCall
  beforeEach(async () => {
    call = new ListedCall()
    call.install(1n)
  })

  it('is found out by the next list, though her frame opens', async () => {
    const mallory = malloryAsAlice(call, true)
    await call.run(60)
    // She gets to Alice's next counters by the relay, which holds Alice's frames back.
    let forged = await forge(mallory)
    for (let ctr = 0; ctr < 60; ctr++) forged = await forge(mallory)
    expect(await call.deliver(forged)).toBe(1)
    const theirs = await call.send(vp8Frame('delta', 200))
    expect(await call.deliver(theirs)).toBe(0)
    expect(call.bob.stats().receivers[0]?.dropped).toEqual({ replayed: 1 })
    await call.run(60)
    expect(call.authenticity).toMatchObject({ verdict: 'forged', forged: 1 })
  })

  it('does not get far with frames that are not listed', async () => {
    await call.run(60)
    expect(await call.deliver(await forge(malloryAsAlice(call, false)))).toBe(1)
    expect(call.authenticity?.verdict).toBe('unverified')
  })

  it('does not get far with lists of her own', async () => {
    const mallory = malloryAsAlice(call, true)
    for (let i = 0; i < 100; i++) {
      await call.clock.advanceAsync(33)
      expect(await call.deliver(await forge(mallory, i))).toBe(1)
    }
    expect(call.authenticity).toMatchObject({ verdict: 'unverified', proven: 0 })
    expect(call.authenticity?.listsRefused).toBeGreaterThan(0)
  })

  it('is not noticed where nobody lists anything, which is what lists are for', async () => {
    call = new ListedCall('camera', new LeafPage(0), false)
    call.install(1n)
    await call.run(10)
    const mallory = malloryAsAlice(call, false)
    for (let ctr = 0; ctr < 10; ctr++) await forge(mallory)
    expect(await call.deliver(await forge(mallory))).toBe(1)
    await call.run(0)
    expect(call.authenticity?.verdict).toBe('unsigned')
  })
})

describe('listed frames', () => {
  const kinds = {
    Opus: [OPUS, fc.uint8Array({ minLength: 1, maxLength: 400 }).map((a) => Uint8Array.from(a))],
    VP8: [
      VP8,
      fc
        .tuple(fc.integer({ min: 10, max: 3000 }), fc.nat(), fc.constantFrom('key', 'delta'))
        .map(([length, seed, kind]) => vp8Frame(kind as 'key', length, seed)),
    ],
    VP9: [VP9, fc.uint8Array({ minLength: 1, maxLength: 3000 }).map((a) => Uint8Array.from(a))],
    'H.264': [H264, accessUnits.map((units) => carried(byteStream(units)))],
    AV1: [AV1, carriedObus.map((obus) => temporalUnit(obus))],
  } as const

  it.each(Object.entries(kinds))(
    'of %s come back to the byte, with and without a list',
    async (_, [mimeType, frames]) => {
      const source = mimeType === OPUS ? 'microphone' : 'camera'
      await fc.assert(
        fc.asyncProperty(
          fc.array(frames as fc.Arbitrary<Bytes>, { minLength: 1, maxLength: 8 }),
          async (sent) => {
            const pair = new Pair()
            pair.install(1n)
            const { clock } = pair
            const page = new LeafPage(0)
            const lister = new FrameLister({ clock, hash, sign: (list) => page.sign(list) })
            const protector = new FrameProtector(pair.sender, source, lister)
            const witness = new FrameWitness({
              clock,
              hash,
              verify: (signed) => page.judge(signed),
            })
            const opener = new FrameOpener(pair.receiver, { leaf: 0, source }, witness)
            for (const frame of sent) {
              // Each carries the list of the one before.
              await clock.advanceAsync(1_000)
              const result = await protector.protect(mimeType, frame)
              if (!result.ok) throw new Error(result.reason)
              await result.listed
              if (mimeType === H264) expect(unitsOf(result.frame).some(isBroken)).toBe(false)
              expect(await opener.open(mimeType, result.frame)).toEqual({ ok: true, frame })
            }
            await witness.settled
            await clock.advanceAsync(0)
            expect(witness.stats()).toMatchObject({
              proven: sent.length - 1,
              forged: 0,
              listsRefused: 0,
            })
          },
        ),
        { numRuns: 30 },
      )
    },
  )

  it('are refused where a key holder gives them an end that is none', async () => {
    const pair = new Pair()
    pair.install(1n)
    const endless = { trailerOf: () => Uint8Array.of(0xff, 0xff, 0), add: async () => {} }
    const protector = new FrameProtector(pair.sender, 'camera', endless as unknown as FrameLister)
    const result = await protector.protect(VP9, bytesOf(1, 100))
    if (!result.ok) throw new Error(result.reason)
    const opener = new FrameOpener(pair.receiver, { leaf: 0, source: 'camera' })
    expect(await opener.open(VP9, result.frame)).toEqual({ ok: false, reason: 'malformed-frame' })
  })
})
