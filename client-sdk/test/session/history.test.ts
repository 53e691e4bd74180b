import { describe, expect, it } from 'vitest'
import { VirtualClock } from '../../../core/test/virtualClock.ts'
import {
  type Departure,
  describeHistory,
  type EndReason,
  type HistoryEvent,
} from '../../src/index.ts'
import { History } from '../../src/session/history.ts'
import type { Participant } from '../../src/session/roster.ts'

function person(identity: string, self = false): Participant {
  const deviceKey = new Uint8Array(32)
  return { leaf: 0, identity, deviceKey, self, verified: false, deviceChanged: false }
}

const me = person('alice', true)
const bob = person('bob')
const carol = person('carol')
const epoch = 7n

describe('a line of the history', () => {
  const joined = (who: Participant, way: 'added' | 'external' | 'unseen', by = bob) =>
    ({ what: 'joined', who, arrival: { epoch, way, committedBy: by } }) as const
  const left = (
    who: Participant,
    reason: 'left' | 'absent' | 'removed' | 'replaced' | 'unseen',
    askedBy: Participant | 'keyserver' | undefined,
    committedBy: Participant | undefined = me,
  ) => ({ what: 'left', who, departure: { epoch, reason, askedBy, committedBy } }) as const

  const ended = (reason: EndReason, departure?: Departure) =>
    ({ what: 'ended', who: me, reason, departure }) as const

  it.each<[HistoryEvent, string]>([
    [{ what: 'entered', who: me, others: [] }, 'You entered the meeting as the first.'],
    [
      { what: 'entered', who: me, others: [bob, carol] },
      'You entered the meeting of “bob”, “carol”.',
    ],
    [
      { what: 'entered', who: me, others: new Array(12).fill(bob) },
      `You entered the meeting of ${new Array(10).fill('“bob”').join(', ')} and 2 more.`,
    ],
    [
      { what: 'lost-place', who: me },
      'You could not follow the meeting any more, and tried to enter again.',
    ],
    [{ what: 'returned', who: me }, 'You entered again with the same device.'],
    [{ what: 'returned', who: bob }, '“bob” entered again with the same device.'],
    [joined(carol, 'added'), '“carol” joined, added by “bob”.'],
    [joined(carol, 'added', me), '“carol” joined, added by you.'],
    [joined(carol, 'external', carol), '“carol” joined without being added by anybody.'],
    [joined(carol, 'unseen'), '“carol” joined while you were away.'],
    [left(bob, 'left', bob), '“bob” left; you changed the keys.'],
    [
      left(bob, 'absent', 'keyserver', carol),
      '“bob” was out of touch, and removed because the keyserver asked for it; “carol” changed the keys.',
    ],
    [
      left(bob, 'removed', carol),
      '“bob” was removed because “carol” asked for it; you changed the keys.',
    ],
    [left(bob, 'replaced', bob, bob), '“bob” gave up a place for another.'],
    [left(bob, 'unseen', undefined, undefined), '“bob” left while you were away.'],
    [{ what: 'verified', who: bob, by: me }, 'You verified the device of “bob”.'],
    [{ what: 'unverified', who: bob, by: me }, 'You took back the verification of “bob”.'],
    [
      { what: 'device-changed', who: bob },
      '“bob” is here with a device that you have not verified.',
    ],
    [ended('left'), 'You left the meeting.'],
    [ended('removed'), 'You were removed from the meeting.'],
    [
      ended('removed', left(me, 'absent', 'keyserver', carol).departure),
      'You were removed because the keyserver asked for it; “carol” changed the keys.',
    ],
    [ended('closed'), 'The keyserver ended the meeting.'],
    [ended('failed'), 'The meeting could not go on for you.'],
  ])('says what happened: %#', (event, expected) => {
    expect(describeHistory(event)).toBe(expected)
  })

  it('cannot be forged by a name', () => {
    const names = [
      'bob” left; “carol',
      'bob\n“carol” left',
      'bob\u2028carol left',
      '\u202eevil',
      'bob\u0000\u001b[2J',
      '\ud83d\ude00'.repeat(1000),
    ]
    for (const name of names) {
      const said = describeHistory({ what: 'returned', who: person(name) })
      expect(said).toMatch(
        /^“[^“”\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]*” entered again with the same device\.$/u,
      )
      expect([...said].length).toBeLessThan(110)
    }
  })
})

describe('the history', () => {
  it('keeps the newest thousand events, with time and epoch', () => {
    const clock = new VirtualClock()
    const history = new History(clock)
    for (let i = 0; i < 1003; i++) {
      history.add(BigInt(i), { what: 'returned', who: bob })
      clock.advance(1)
    }
    const { entries } = history
    expect(entries).toHaveLength(1000)
    expect(entries[0]).toMatchObject({ epoch: 3n, what: 'returned', who: bob })
    expect(entries[999]).toMatchObject({ epoch: 1002n })
    expect((entries[999]?.at ?? 0) - (entries[0]?.at ?? 0)).toBe(999)
  })

  it('that was read does not change', () => {
    const history = new History(new VirtualClock())
    history.add(0n, { what: 'entered', who: me, others: [] })
    const { entries } = history
    history.add(1n, { what: 'returned', who: bob })
    expect(entries).toHaveLength(1)
  })
})
