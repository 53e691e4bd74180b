import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { OpenDrop } from '../../src/media/receiveTransform.ts'
import {
  DECODER_PATIENCE_MS,
  newReception,
  nextReception,
  type Reception,
  type ReceptionSample,
  type ReceptionState,
  SILENCE_MS,
  STATE_OF_DROP,
} from '../../src/media/reception.ts'
import { sampleBetween } from '../../src/media/receptionSample.ts'

const silence: ReceptionSample = {
  opened: 0,
  dropped: {},
  waited: 0,
  needsKeyFrame: false,
  decoded: 0,
  paused: false,
}

const reasons = Object.keys(STATE_OF_DROP) as OpenDrop[]

const samples: fc.Arbitrary<ReceptionSample> = fc.record({
  opened: fc.constantFrom(0, 0, 1, 15),
  dropped: fc.dictionary(fc.constantFrom(...reasons), fc.nat(20), { maxKeys: 4 }),
  waited: fc.constantFrom(0, 0, 3),
  needsKeyFrame: fc.boolean(),
  decoded: fc.constantFrom(undefined, 0, 0, 7),
  paused: fc.constantFrom(false, false, false, true),
})

const histories = fc.array(fc.tuple(samples, fc.integer({ min: 1, max: 2_000 })), { maxLength: 12 })

/** The reception after these samples, and when that is. */
function after(history: readonly (readonly [ReceptionSample, number])[]): [Reception, number] {
  let [reception, now] = [newReception(1_000), 1_000]
  for (const [sample, ms] of history) {
    now += ms
    reception = nextReception(reception, sample, now)
  }
  return [reception, now]
}

/** The states that half a second of each sample leads to, one after the other. */
function statesOf(...history: readonly Partial<ReceptionSample>[]): ReceptionState[] {
  const all = history.map((sample) => [{ ...silence, ...sample }, 500] as const)
  return all.map((_, i) => after(all.slice(0, i + 1))[0].state)
}

describe('the state of a track', () => {
  it('is what most of its frames were dropped for, where none opens', () => {
    for (const reason of reasons) {
      const expected = STATE_OF_DROP[reason] ?? 'no-frames'
      expect(statesOf({ dropped: { [reason]: 3 } }), reason).toEqual([expected])
    }
    const [state] = statesOf({ dropped: { tampered: 2, 'wrong-key': 3, truncated: 2 }, waited: 3 })
    expect(state).toBe('tampered')
  })

  it('follows a track that begins, fails and recovers', () => {
    expect(
      statesOf(
        {},
        { waited: 9 },
        { opened: 3, needsKeyFrame: true },
        { opened: 15, decoded: 14 },
        { dropped: { tampered: 15 } },
        { opened: 15, needsKeyFrame: true },
        { opened: 15, decoded: 9 },
        { paused: true },
        {},
        { opened: 15, decoded: 15 },
      ),
    ).toEqual([
      'no-frames',
      'waiting-for-key',
      'waiting-for-key-frame',
      'decoding',
      'tampered',
      'waiting-for-key-frame',
      'decoding',
      'paused',
      'no-frames',
      'decoding',
    ])
  })

  it('is decoding also where the frame of a slow track is decoded after the sample it opened in', () => {
    expect(statesOf({ opened: 1 }, { decoded: 1 }, {}, { opened: 1 }, { decoded: 1 })).toEqual([
      'no-frames',
      'decoding',
      'decoding',
      'decoding',
      'decoding',
    ])
  })

  it('is stalled where what opens is not decoded, or nothing comes any more', () => {
    const opens = { opened: 15, decoded: 0 }
    const count = DECODER_PATIENCE_MS / 500
    expect(statesOf({ opened: 1, decoded: 1 }, ...Array(count + 1).fill(opens)).at(-2)).toBe(
      'decoding',
    )
    expect(statesOf({ opened: 1, decoded: 1 }, ...Array(count + 1).fill(opens)).at(-1)).toBe(
      'stalled',
    )
    const quiet = Array(SILENCE_MS / 500).fill({})
    expect(statesOf({ opened: 1, decoded: 1 }, ...quiet.slice(1)).at(-1)).toBe('decoding')
    expect(statesOf({ opened: 1, decoded: 1 }, ...quiet).at(-1)).toBe('stalled')
  })

  it('stays foreign where what comes in clear looks like frames whose key is not here', () => {
    const clear = { dropped: { 'malformed-header': 9 } }
    expect(statesOf({ waited: 9 }, clear, { waited: 9 }, { opened: 9, decoded: 9 })).toEqual([
      'waiting-for-key',
      'foreign',
      'foreign',
      'decoding',
    ])
  })

  it('needs no word of a browser that tells nothing of decoding', () => {
    const opens = { opened: 5, decoded: undefined }
    expect(statesOf(opens, { ...opens, needsKeyFrame: true })).toEqual([
      'decoding',
      'waiting-for-key-frame',
    ])
  })

  it('is paused exactly while its sender has paused it', () => {
    fc.assert(
      fc.property(histories, samples, (history, sample) => {
        const [before, now] = after(history)
        expect(nextReception(before, sample, now + 1).state === 'paused').toBe(sample.paused)
      }),
    )
  })

  it('is decoding with the first sample of frames that open and are decoded, whatever was before', () => {
    fc.assert(
      fc.property(histories, samples, (history, sample) => {
        const [before, now] = after(history)
        const well = { ...sample, opened: 5, decoded: 5, paused: false }
        expect(nextReception(before, well, now + 1).state).toBe('decoding')
      }),
    )
  })

  it('is never decoding while frames are refused and none opens', () => {
    fc.assert(
      fc.property(histories, samples, fc.constantFrom(...reasons), (history, sample, reason) => {
        const [before, now] = after(history)
        const refused = { ...sample, opened: 0, paused: false, dropped: { [reason]: 5 } }
        const { state } = nextReception(before, refused, now + 1)
        const isRefusal = STATE_OF_DROP[reason] !== undefined || sample.waited > 0
        if (isRefusal) expect(state).not.toBe('decoding')
      }),
    )
  })

  it('blames keys or frames for nothing in silence', () => {
    fc.assert(
      fc.property(histories, fc.nat(10_000), (history, ms) => {
        const [before, now] = after(history)
        const { state } = nextReception(before, silence, now + ms)
        expect([before.state, 'stalled', 'no-frames']).toContain(state)
      }),
    )
  })

  it('dates from its first sample', () => {
    fc.assert(
      fc.property(histories, samples, fc.integer({ min: 1, max: 900 }), (history, sample, ms) => {
        const [before, now] = after(history)
        const { state, since } = nextReception(before, sample, now + ms)
        expect(since).toBe(state === before.state ? before.since : now + ms)
      }),
    )
  })
})

describe('the sample between two looks at the counters', () => {
  const counts = (
    stats: Partial<Parameters<typeof sampleBetween>[1]['stats']>,
    decoded?: number,
    paused = false,
  ) => ({
    stats: { opened: 0, waiting: 0, needsKeyFrame: false, dropped: {}, ...stats },
    decoded,
    paused,
  })

  it('is what has been added to each', () => {
    const before = counts({ opened: 10, dropped: { tampered: 2, replayed: 1 } }, 900)
    const after = counts({ opened: 25, dropped: { tampered: 5, replayed: 1, truncated: 2 } }, 960)
    expect(sampleBetween(before, after)).toEqual({
      opened: 15,
      dropped: { tampered: 3, replayed: 0, truncated: 2 },
      waited: 0,
      needsKeyFrame: false,
      decoded: 60,
      paused: false,
    })
    expect(sampleBetween(undefined, before)).toMatchObject({ opened: 10, decoded: 900 })
  })

  it('counts a frame that waits once, when it comes', () => {
    const looks = [
      counts({}),
      counts({ waiting: 12 }),
      counts({ waiting: 12 }),
      counts({ waiting: 4, dropped: { 'wait-expired': 12 } }),
      counts({ opened: 4, dropped: { 'wait-expired': 12 } }),
    ]
    const waited = looks.map((look, i) => sampleBetween(looks[i - 1], look).waited)
    expect(waited).toEqual([0, 12, 0, 4, 0])
    expect(sampleBetween(looks[2], looks[3] as (typeof looks)[0]).dropped).toEqual({})
  })

  it('begins at zero again where the counters do', () => {
    const anew = sampleBetween(counts({ opened: 100 }, 5_000), counts({ opened: 3 }, 2))
    expect(anew).toMatchObject({ opened: 3, decoded: 2 })
  })
})
