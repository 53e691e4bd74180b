import { describe, expect, it } from 'vitest'
import {
  formatDiagnostics,
  MAX_RECEIVERS,
  type MeetingDiagnostics,
  mostTroubled,
  type ReceiverDiagnostics,
} from '../src/diagnostics.ts'
import { STATE_OF_DROP } from '../src/media/reception.ts'
import { unsigned } from './media/frames.ts'

const wellReceived: ReceiverDiagnostics = {
  leaf: 4,
  identity: 'bob',
  source: 'camera',
  state: 'decoding',
  forMs: 61_400,
  epoch: 12,
  opened: 1_800,
  waiting: 0,
  dropped: {},
  authenticity: unsigned,
}
const unseen: ReceiverDiagnostics = {
  ...wellReceived,
  leaf: 7,
  state: 'wrong-key',
  epoch: undefined,
  opened: 0,
  dropped: { 'wrong-key': 320, 'empty-frame': 2, replayed: 1, truncated: 3 },
}
const meeting: MeetingDiagnostics = {
  epoch: 12,
  leaf: 3,
  members: 9,
  worker: 'running',
  senders: [{ source: 'microphone', epoch: 12, protected: 9_000, dropped: {} }],
  receivers: [unseen, wellReceived],
  receiversOmitted: 0,
}

describe('the line of a bug report', () => {
  it('says what is sent and of whom nothing is seen, by leaf', () => {
    expect(formatDiagnostics(meeting)).toBe(
      'conclave-media/1 epoch=12 leaf=3 members=9 worker=running ' +
        'sent(microphone epoch=12 protected=9000) receiving=1/2 ' +
        'from(7 camera wrong-key for=61s epoch=- opened=0 waiting=0 wrong-key=320 truncated=3 empty-frame=2)',
    )
  })

  it('names those too who are seen and whose frames another member has made', () => {
    const forged = { ...unsigned, verdict: 'forged', forged: 3 } as const
    const line = formatDiagnostics({
      epoch: 12,
      leaf: 3,
      members: 9,
      worker: 'running',
      senders: [],
      ...mostTroubled([wellReceived, { ...wellReceived, leaf: 5, authenticity: forged }]),
    })
    expect(line).toContain('receiving=1/2 from(5 camera decoding for=61s epoch=12')
    expect(line).toMatch(/ sender=forged\)$/)
  })

  it('is of bounded length and of printable characters alone, however much is wrong', () => {
    const most = Number.MAX_SAFE_INTEGER
    const dropped = Object.fromEntries(Object.keys(STATE_OF_DROP).map((reason) => [reason, most]))
    const worst = (leaf: number): ReceiverDiagnostics => ({
      leaf,
      identity: '\u202e\n'.repeat(1_000),
      source: 'screen-audio',
      state: 'waiting-for-key-frame',
      forMs: most,
      epoch: most,
      opened: most,
      waiting: most,
      dropped,
      authenticity: { ...unsigned, verdict: 'authenticated' },
    })
    const sources = ['microphone', 'camera', 'screen', 'screen-audio'] as const
    const line = formatDiagnostics({
      epoch: most,
      leaf: most,
      members: most,
      worker: 'media-already-transmitting',
      senders: sources.map((source) => ({ source, epoch: most, protected: most, dropped })),
      ...mostTroubled(Array.from({ length: 2_000 }, (_, leaf) => worst(leaf))),
    })
    expect(line.length).toBeLessThanOrEqual(4_096)
    expect(line).toMatch(/^[\x20-\x7e]+$/)
    expect(line).toContain(`receiving=0/2000 `)
    expect(line).toMatch(/ more=1988$/)
  })
})

describe('diagnostics of a large meeting', () => {
  it('name those who cannot be seen, and of the others as many as fit', () => {
    const all = Array.from({ length: 1_000 }, (_, leaf) => ({
      ...(leaf % 10 === 9 ? unseen : wellReceived),
      leaf,
    }))
    const { receivers, receiversOmitted } = mostTroubled(all)
    expect(receivers).toHaveLength(MAX_RECEIVERS)
    expect(receiversOmitted).toBe(1_000 - MAX_RECEIVERS)
    expect(receivers.slice(0, 100).map(({ leaf }) => leaf % 10)).toEqual(Array(100).fill(9))
    expect(receivers[100]?.leaf).toBe(0)
  })
})
