import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ReceptionState, STATE_OF_DROP } from '../../src/media/reception.ts'
import {
  BLIP_MS,
  DEGRADED_INTERVAL_MS,
  FIRST_FRAME_PATIENCE_MS,
  type Notice,
  nextNotices,
  nothingTold,
} from '../../src/media/receptionNotices.ts'

type Step = readonly [state: ReceptionState, ms: number]
interface Told {
  readonly at: number
  readonly notice: Notice
}

/** What is told where each state is seen so long after the one before. */
function toldOf(steps: readonly Step[]): Told[] {
  let notices = nothingTold
  let now = 0
  const told: Told[] = []
  for (const [state, ms] of steps) {
    now += ms
    const next = nextNotices(notices, state, now)
    notices = next.notices
    if (next.notice !== undefined) told.push({ at: now, notice: next.notice })
  }
  return told
}

const states = fc.constantFrom<ReceptionState>(
  'decoding',
  'decoding',
  'paused',
  'no-frames',
  'stalled',
  'waiting-for-key-frame',
  ...(Object.values(STATE_OF_DROP).filter((state) => state !== undefined) as ReceptionState[]),
)
const steps: fc.Arbitrary<Step[]> = fc.array(fc.tuple(states, fc.integer({ min: 1, max: 1_500 })), {
  maxLength: 40,
})
const degradations = (told: readonly Told[]) =>
  told.filter(({ notice }) => notice.type === 'degraded')

describe('what is told of a track', () => {
  it('is nothing of blips, and their end neither', () => {
    const flicker = Array<Step[]>(20)
      .fill([
        ['decoding', 100],
        ['tampered', 100],
        ['replayed', BLIP_MS - 1],
      ])
      .flat()
    expect(toldOf([...flicker, ['decoding', 100]])).toEqual([])
  })

  it('is what lasts, also where the reason changes from look to look', () => {
    expect(
      toldOf([
        ['decoding', 1_000],
        ['tampered', 100],
        ['replayed', 300],
        ['wrong-key', 200],
        ['decoding', 100],
      ]),
    ).toEqual([
      { at: 1_600, notice: { type: 'degraded', state: 'wrong-key', since: 1_100 } },
      { at: 1_700, notice: { type: 'recovered' } },
    ])
  })

  it('has patience with a track that has had no frame yet', () => {
    const looks = Array<Step>(FIRST_FRAME_PATIENCE_MS / 500).fill(['no-frames', 500])
    expect(toldOf(looks)).toEqual([])
    const [told] = toldOf([...looks, ['no-frames', 500]])
    expect(told?.notice).toEqual({ type: 'degraded', state: 'no-frames', since: 500 })
  })

  it('is at most one degradation in two seconds, then the state that is left', () => {
    fc.assert(
      fc.property(steps, (steps) => {
        const times = degradations(toldOf(steps)).map(({ at }) => at)
        for (const [i, at] of times.entries()) {
          if (i > 0) expect(at - (times[i - 1] as number)).toBeGreaterThanOrEqual(2_000)
        }
      }),
    )
    expect(
      toldOf([
        ['stalled', 0],
        ['stalled', 500],
        ['tampered', 500],
        ['wrong-key', 500],
        ['wrong-key', 500],
        ['wrong-key', DEGRADED_INTERVAL_MS - 1_500],
      ]).map(({ at, notice }) => [at, notice.type === 'degraded' && notice.state]),
    ).toEqual([
      [500, 'stalled'],
      [500 + DEGRADED_INTERVAL_MS, 'wrong-key'],
    ])
  })

  it('is every recovery, at once, and only after a degradation', () => {
    fc.assert(
      fc.property(steps, (steps) => {
        let isDegraded = false
        let notices = nothingTold
        let now = 0
        for (const [state, ms] of steps) {
          now += ms
          const { notices: next, notice } = nextNotices(notices, state, now)
          expect(notice?.type === 'recovered').toBe(isDegraded && state === 'decoding')
          if (notice !== undefined) isDegraded = notice.type === 'degraded'
          notices = next
        }
      }),
    )
  })

  it('is nothing of a track that its sender has paused', () => {
    expect(
      toldOf([
        ['paused', 10_000],
        ['paused', 10_000],
        ['no-frames', 1],
        ['paused', 10_000],
      ]),
    ).toEqual([])
  })
})
