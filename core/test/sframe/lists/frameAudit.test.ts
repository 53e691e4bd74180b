import { type Bytes, encode, utf8 } from '@conclave/core/codec'
import {
  type DigestedFrame,
  DigestList,
  frameDigest,
  type ListJudgement,
  MAX_LISTS_PER_SECOND,
  MAX_LISTS_UNDER_WAY,
  SignedDigestList,
  splitTrailer,
  type TrailedFrame,
} from '@conclave/core/sframe'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { camera, hash, kidOf, ListedTrack, signatureOf, type TestFrame } from './listedTrack.ts'

/** Frames of several layers, with the lists that follow them. */
const recordings = fc.record({
  layers: fc.array(fc.constantFrom('low', 'middle', 'high'), { minLength: 2, maxLength: 150 }),
  ms: fc.integer({ min: 5, max: 400 }),
  seed: fc.integer(),
})

async function record(
  track: ListedTrack,
  { layers, ms }: { readonly layers: readonly string[]; readonly ms: number },
): Promise<TestFrame[]> {
  const sent: TestFrame[] = []
  for (const [i, layer] of layers.entries()) {
    sent.push(await track.send({ layer, ms, content: utf8(`${layer} ${i}`) }))
    // Each change of keys is in the middle of lists.
    if (i % 40 === 39) track.epoch++
  }
  await track.clock.advanceAsync(1_000)
  for (const layer of new Set(layers)) sent.push(await track.send({ layer, ms }))
  return sent
}

/** Deterministic, so that a failure can be run again. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  let state = seed >>> 0
  const key = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state
  }
  return items
    .map((item) => [key(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)
}

describe('frames and the lists that their sender has signed', () => {
  it('agree, whatever layers there are and whichever frames arrive in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(recordings, fc.nat(100), async (recording, share) => {
        const track = new ListedTrack()
        const sent = await record(track, recording)
        const arriving = shuffled(sent, recording.seed).filter((_, i) => (i * 37) % 100 <= share)
        for (const frame of arriving) {
          // Slowly enough for every list to be looked at.
          await track.clock.advanceAsync(150)
          await track.receive(frame)
        }
        expect(track.audit.stats()).toMatchObject({ forged: 0, listsRefused: 0, listsDropped: 0 })
      }),
      { numRuns: 40 },
    )
  })

  it('prove every frame of which a list arrives', async () => {
    await fc.assert(
      fc.asyncProperty(recordings, async (recording) => {
        const track = new ListedTrack()
        const sent = await record(track, { ...recording, ms: Math.max(150, recording.ms) })
        for (const frame of sent) {
          await track.clock.advanceAsync(150)
          await track.receive(frame)
        }
        // The last of each layer carry the lists of those before, and are in none.
        const layers = new Set(recording.layers).size
        expect(track.audit.stats()).toMatchObject({ proven: sent.length - layers, forged: 0 })
      }),
      { numRuns: 40 },
    )
  })

  it('prove those of one layer by that layer alone', async () => {
    const track = new ListedTrack()
    for (let i = 0; i < 200; i++) {
      await track.send({ layer: 'low', ms: 16 })
      await track.receive(await track.send({ layer: 'high', ms: 17 }))
    }
    expect(track.audit.stats()).toMatchObject({ verdict: 'authenticated', forged: 0 })
    expect(track.audit.stats().proven).toBeGreaterThan(160)
  })

  it.each([
    ['pictures', 30, 720],
    ['sound', 50, 1_220],
  ])('take of %s, %i frames a second, less than %i bytes a second', async (_, rate, limit) => {
    const track = new ListedTrack()
    const content = utf8('')
    let bytes = 0
    for (let i = 0; i < 20 * rate; i++) {
      bytes += (await track.send({ ms: 1_000 / rate, content })).plaintext.length
    }
    expect(bytes / 20).toBeLessThan(limit)
    expect(bytes / 20).toBeGreaterThan(0.9 * limit)
  })

  it('travel only where there is room for them, and lose nothing until there is', async () => {
    const track = new ListedTrack()
    for (let i = 0; i < 80; i++) await track.receive(await track.send({ room: i % 4 ? 0 : 900 }))
    expect(track.audit.stats()).toMatchObject({ verdict: 'authenticated', forged: 0 })
    expect(track.lister.dropped).toBe(0)
  })
})

describe('a frame that its sender did not make', () => {
  type Change = (frame: TestFrame) => TestFrame
  const layerOf =
    (layer: number): Change =>
    (frame) => {
      const plaintext = frame.plaintext.slice()
      plaintext[plaintext.length - 1] = layer
      return { ...frame, plaintext }
    }
  const changes: Record<string, Change> = {
    'another content': (frame) => {
      const plaintext = frame.plaintext.slice()
      plaintext[0] = (plaintext[0] as number) ^ 1
      return { ...frame, plaintext }
    },
    'other clear bytes': (frame) => ({ ...frame, metadata: Uint8Array.of(1, 3) }),
    'a layer that its sender has not': layerOf(9),
  }

  it.each(Object.entries(changes))('is found out by %s', async (_, change) => {
    const track = new ListedTrack()
    await track.run(60)
    await track.receive(change(await track.send()))
    await track.run(60)
    expect(track.audit.stats()).toMatchObject({ verdict: 'forged', forged: 1 })
  })

  it('is found out where it takes the counter of a frame of a layer that is not received', async () => {
    const track = new ListedTrack()
    for (let i = 0; i < 40; i++) {
      const kept = await track.send({ layer: 'low', ms: 16 })
      await track.receive(kept)
      const unseen = await track.send({ layer: 'high', ms: 17 })
      // Under the number of the layer that is received.
      if (i === 20) await track.receive({ ...unseen, plaintext: kept.plaintext })
    }
    await track.clock.advanceAsync(1_000)
    await track.receive(await track.send({ layer: 'low' }))
    expect(track.audit.stats()).toMatchObject({ verdict: 'forged', forged: 1 })
  })

  it('casts doubt where it has a counter that its sender has not come to, of which no list tells', async () => {
    const track = new ListedTrack()
    await track.run(200)
    const frame = await track.send()
    await track.receive({ ...frame, ctr: frame.ctr + 900n, metadata: Uint8Array.of(7) })
    await track.run(80)
    expect(track.audit.stats().verdict).toBe('authenticated')
    await track.run(20)
    expect(track.audit.stats()).toMatchObject({ verdict: 'unverified', forged: 0 })
    await track.run(500)
    expect(track.audit.stats().verdict).toBe('unverified')
  })

  it('casts doubt where it takes the place of one that was kept back, when its list is forgotten', async () => {
    const track = new ListedTrack()
    await track.run(100)
    const keptBack = await track.send()
    await track.run(400)
    expect(track.audit.stats().verdict).toBe('authenticated')
    await track.receive({ ...keptBack, metadata: Uint8Array.of(7) })
    expect(track.audit.stats()).toMatchObject({ verdict: 'unverified', forged: 0 })
  })

  it('is never proven, whatever of the frame or of its list is changed', async () => {
    const sender = new ListedTrack()
    const sent: TestFrame[] = []
    for (let i = 0; i < 62; i++) sent.push(await sender.send())
    const trailed = sent.map(({ plaintext }) => splitTrailer(plaintext) as TrailedFrame)
    const lists = trailed.flatMap(({ list }) => (list.length === 0 ? [] : [list]))
    const flip = (bytes: Bytes, place: number) => {
      const changed = bytes.slice()
      const at = (place >>> 3) % changed.length
      changed[at] = (changed[at] as number) ^ (1 << (place & 7))
      return changed
    }
    /** How many of one frame are proven by the lists. */
    const proven = async (frame: DigestedFrame, signed: readonly Bytes[]) => {
      const { audit, clock } = new ListedTrack()
      audit.opened({ ...frame, epoch: 1n, digest: await frameDigest(hash, frame), isFormer: false })
      for (const list of signed) {
        await audit.received(list, camera)
        clock.advance(1_000)
      }
      return audit.stats().proven
    }
    const place = fc.record({ at: fc.nat(29), what: fc.nat(5), place: fc.nat() })
    await fc.assert(
      fc.asyncProperty(place, async ({ at, what, place }) => {
        const { kid, ctr, metadata } = sent[at] as TestFrame
        const { layer, content } = trailed[at] as TrailedFrame
        const frame = { kid, ctr, layer, metadata, content }
        expect(await proven(frame, lists)).toBe(1)
        const changes = [
          { content: flip(content, place) },
          { metadata: flip(metadata, place) },
          { ctr: ctr ^ (1n << BigInt(place % 64)) },
          { kid: kid ^ (1n << BigInt(place % 64)) },
          { layer: layer ^ (1 << (place % 8)) },
        ]
        const change = changes[what]
        if (change !== undefined) expect(await proven({ ...frame, ...change }, lists)).toBe(0)
        const changed = lists.map((list) => flip(list, place))
        expect(await proven(frame, changed)).toBe(0)
      }),
      { numRuns: 150 },
    )
  })

  it('stays named for a minute', async () => {
    const track = new ListedTrack()
    await track.run(60)
    const frame = await track.send()
    await track.receive({ ...frame, metadata: Uint8Array.of(7) })
    await track.run(40)
    await track.run(50, { ms: 1_000 })
    expect(track.audit.stats().verdict).toBe('forged')
    await track.run(20, { ms: 1_000 })
    expect(track.audit.stats().verdict).toBe('authenticated')
  })
})

describe('a list', () => {
  const listOf = async (key: string, changes: { readonly kid?: bigint } = {}) => {
    const kid = kidOf(1n)
    const content = utf8('made by Mallory')
    const frame = { kid, ctr: 0n, layer: 0, metadata: Uint8Array.of(1, 2), content }
    const list = encode(DigestList, {
      epoch: 1n,
      kid,
      layer: 0,
      layers: Uint8Array.of(0),
      first: 0n,
      frames: [{ step: 0, digest: await frameDigest(hash, frame) }],
      ...changes,
    })
    const signed = encode(SignedDigestList, { list, signature: signatureOf(list, key) })
    return { frame, signed }
  }

  it.each([
    ['that another has signed', 'mallory', {}],
    ["of another leaf's frames", 'alice', { kid: kidOf(1n) + 256n }],
    ["of another source's frames", 'alice', { kid: kidOf(1n) + (1n << 18n) }],
    ['of frames that are not listed', 'alice', { kid: kidOf(1n) - (4n << 18n) }],
    ['of another epoch than its KID shows', 'alice', { kid: kidOf(2n) }],
  ])('%s proves nothing, and casts doubt', async (_, key, changes) => {
    const track = new ListedTrack()
    const { frame, signed } = await listOf(key, changes)
    const digest = await frameDigest(hash, frame)
    track.audit.opened({ ...frame, epoch: 1n, digest, isFormer: false })
    await track.audit.received(signed, camera)
    const expected = { verdict: 'unverified', proven: 0, forged: 0, listsRefused: 1 }
    expect(track.audit.stats()).toMatchObject(expected)
  })

  it('is missed by a verifier that lets every signature pass, which these tests would find', async () => {
    const track = new ListedTrack(async () => 'valid')
    const { frame, signed } = await listOf('mallory')
    const digest = await frameDigest(hash, frame)
    track.audit.opened({ ...frame, epoch: 1n, digest, isFormer: false })
    await track.audit.received(signed, camera)
    expect(track.audit.stats()).toMatchObject({ verdict: 'authenticated', proven: 1 })
  })

  it('that nobody can verify says nothing either way', async () => {
    const track = new ListedTrack(async () => 'unknown-signer')
    await track.run(60)
    expect(track.audit.stats()).toMatchObject({ verdict: 'pending', listsRefused: 0, proven: 0 })
    await track.run(120)
    expect(track.audit.stats()).toMatchObject({ verdict: 'unverified', listsRefused: 0 })
  })

  it('is not looked at beyond eight a second, nor beyond four at once', async () => {
    const answers: ((judgement: ListJudgement) => void)[] = []
    const slow = new ListedTrack(() => new Promise((resolve) => answers.push(resolve)))
    const { signed } = await listOf('alice')
    const flood = () => void slow.audit.received(signed, camera)
    for (let i = 0; i < 1_000; i++) flood()
    expect(slow.verified).toBe(MAX_LISTS_UNDER_WAY)
    for (const answer of answers.splice(0)) answer('unknown-signer')
    await slow.clock.advanceAsync(0)
    for (let i = 0; i < 1_000; i++) flood()
    expect(slow.verified).toBe(MAX_LISTS_PER_SECOND)
    for (const answer of answers.splice(0)) answer('unknown-signer')
    await slow.clock.advanceAsync(0)
    for (let i = 0; i < 1_000; i++) flood()
    expect(slow.verified).toBe(MAX_LISTS_PER_SECOND)
    expect(slow.audit.stats().listsDropped).toBe(3_000 - MAX_LISTS_PER_SECOND)
    await slow.clock.advanceAsync(1_000)
    flood()
    expect(slow.verified).toBe(MAX_LISTS_PER_SECOND + 1)
  })
})

describe('the verdict on a track', () => {
  it('is none on a sender who lists nothing', () => {
    const track = new ListedTrack()
    expect(track.audit.stats().verdict).toBe('unsigned')
    for (let i = 0; i < 200; i++) track.audit.openedUnlisted({ epoch: 1n, isFormer: false })
    expect(track.audit.stats().verdict).toBe('unsigned')
  })

  it('comes with the first list', async () => {
    const track = new ListedTrack()
    await track.run(25)
    expect(track.audit.stats().verdict).toBe('pending')
    await track.run(10)
    expect(track.audit.stats().verdict).toBe('authenticated')
  })

  it('does not suffer from pauses, however long and frequent', async () => {
    const track = new ListedTrack()
    await track.run(100)
    for (const pause of [500, 4_000, 60_000, 2_000, 3_600_000]) {
      await track.clock.advanceAsync(pause)
      expect(track.audit.stats().verdict).toBe('authenticated')
      for (let i = 0; i < 10; i++) {
        await track.run(2)
        expect(track.audit.stats().verdict).toBe('authenticated')
      }
    }
  })

  it.each([200, 1_000, 5_000])('is reached with one frame in %i ms too', async (ms) => {
    const track = new ListedTrack()
    await track.run(60, { ms })
    expect(track.audit.stats()).toMatchObject({ verdict: 'authenticated', forged: 0 })
  })

  it('holds while keys change every second', async () => {
    const track = new ListedTrack()
    await track.run(40)
    for (let i = 0; i < 20; i++) {
      track.epoch++
      await track.run(30)
      expect(track.audit.stats()).toMatchObject({ verdict: 'authenticated', forged: 0 })
    }
  })

  it('holds while the SFU switches between layers', async () => {
    const track = new ListedTrack()
    const layers = ['low', 'high', 'middle', 'high', 'low']
    for (const layer of layers) {
      for (let i = 0; i < 150; i++) {
        const { verdict } = track.audit.stats()
        if (track.ctr > 60n) expect(verdict).toBe('authenticated')
        await track.receive(await track.send({ layer }))
      }
    }
    expect(track.audit.stats().forged).toBe(0)
  })

  it.each([
    [20, 2, 4],
    [33, 3, 5],
    [200, 11, 14],
    [1_000, 20, 20],
  ])(
    'is lost when lists stop coming, with a frame in %i ms after %i s',
    async (ms, lost, known) => {
      const track = new ListedTrack()
      await track.run(200, { ms })
      const stopped = track.clock.now()
      const seconds = () => (track.clock.now() - stopped) / 1_000
      const verdictIsNot = async (verdict: string) => {
        while (track.audit.stats().verdict === verdict && seconds() < 60) {
          await track.receive(await track.send({ ms, room: 0 }))
        }
      }
      await verdictIsNot('authenticated')
      expect(seconds()).toBeLessThanOrEqual(lost)
      await verdictIsNot('pending')
      expect(seconds()).toBeLessThanOrEqual(known)
      expect(track.audit.stats().verdict).toBe('unverified')
    },
  )

  it('is in doubt for ten seconds after frames that are not listed', async () => {
    const track = new ListedTrack()
    await track.run(100)
    track.audit.openedUnlisted({ epoch: 1n, isFormer: false })
    expect(track.audit.stats().verdict).toBe('unverified')
    await track.run(290)
    expect(track.audit.stats().verdict).toBe('unverified')
    await track.run(20)
    expect(track.audit.stats().verdict).toBe('authenticated')
  })

  it('is in doubt as well where frames that are not listed came first', async () => {
    const track = new ListedTrack()
    track.audit.openedUnlisted({ epoch: 1n, isFormer: false })
    await track.run(60)
    expect(track.audit.stats().verdict).toBe('unverified')
  })

  it('is none any more on somebody who lists nothing from an epoch on', async () => {
    const track = new ListedTrack()
    await track.run(100)
    track.audit.openedUnlisted({ epoch: 2n, isFormer: false })
    expect(track.audit.stats().verdict).toBe('unsigned')
  })

  it('is given anew where another sender is expected', async () => {
    const track = new ListedTrack()
    await track.run(100)
    track.audit.reset()
    expect(track.audit.stats().verdict).toBe('unsigned')
    await track.run(10)
    expect(track.audit.stats().verdict).toBe('pending')
  })
})
