import { describe, expect, it } from 'vitest'
import { failings, type Outcome } from './judgement.ts'
import { replaceMatrix, resultTable } from './table.ts'

const video = { source: 'camera', size: { width: 320, height: 180 } } as const

const control: Outcome = {
  framesPerSecond: 30,
  concealed: 0.01,
  freezes: 0,
  longestGapMs: 50,
  opened: 0,
  droppedAtSender: {},
  droppedAtReceiver: {},
  authenticity: {},
  missing: [],
}
const encrypted: Outcome = { ...control, framesPerSecond: 27.1, concealed: 0.029, opened: 300 }

describe('a row of the matrix', () => {
  it('passes with nine tenths of the frames, two points of concealment and empty frames', () => {
    expect(failings({ video }, control, encrypted)).toEqual([])
    const empty = { 'empty-frame': 9 }
    const dropped = { droppedAtSender: empty, droppedAtReceiver: empty }
    expect(failings({ video }, control, { ...encrypted, ...dropped })).toEqual([])
    const sound = { ...control, framesPerSecond: 0 }
    expect(failings({}, sound, { ...sound, opened: 1 })).toEqual([])
  })

  it.each<[string, Partial<Outcome>, string]>([
    ['too few frames decode', { framesPerSecond: 26.9 }, '26.9 frames/s, 30.0 without'],
    ['too much sound is made up', { concealed: 0.031 }, '3.1 % concealed, 1.0 % without'],
    ['what is concealed is unknown', { concealed: Number.NaN }, 'NaN % concealed, 1.0 % without'],
    [
      'frames are not sent',
      { droppedAtSender: { 'no-key': 1 } },
      '1 frames dropped at the sender, no-key',
    ],
    [
      'frames are refused',
      { droppedAtReceiver: { replayed: 2 } },
      '2 frames dropped at the receiver, replayed',
    ],
    ['nothing was encrypted', { opened: 0 }, 'no frame was opened'],
    ['something did not come about', { missing: ['no layer 2'] }, 'no layer 2'],
  ])('fails where %s', (_, change, reason) => {
    expect(failings({ video }, control, { ...encrypted, ...change })).toEqual([reason])
  })

  it.each<[string, Partial<Outcome>, string]>([
    ['shows next to nothing', { framesPerSecond: 9 }, 'control: 9.0 frames/s'],
    ['lacks something', { missing: ['no layer 2'] }, 'control: no layer 2'],
  ])('fails where the control %s, against which nothing could be measured', (_, change, reason) => {
    expect(failings({ video }, { ...control, ...change }, encrypted)).toEqual([reason])
  })
})

describe('the table of results', () => {
  const row = { codec: 'H264', feature: 'camera', video } as const
  const result = { row, control, encrypted, reasons: [] }

  it('has a line for each row, which says why it failed', () => {
    const lines = resultTable([
      result,
      { ...result, row: { codec: 'Opus', feature: 'sound' }, reasons: ['no sound', 'no more'] },
    ]).split('\n')
    expect(lines.slice(2)).toEqual([
      '| H.264 | camera | 27 | 30 | 2.9 % | 1.0 % | passes |',
      '| Opus | sound | – | – | 2.9 % | 1.0 % | fails: no sound; no more |',
    ])
  })

  it('takes the place of the one before, and changes nothing else', () => {
    const page = 'before\n<!-- matrix:begin -->\nold\n<!-- matrix:end -->\nafter\n'
    expect(replaceMatrix(page, 'new')).toBe(page.replace('old', 'new'))
    expect(replaceMatrix(replaceMatrix(page, 'other'), 'old')).toBe(page)
    expect(() => replaceMatrix('nothing', 'new')).toThrow('no place')
  })
})
