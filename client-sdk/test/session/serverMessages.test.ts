import { packKeyPackages, packMail, type RequestName } from '@conclave/core/delivery'
import { describe, expect, it } from 'vitest'
import { checked, noticeSchemas, replySchemas } from '../../src/edge/serverMessages.ts'

const bytes = Uint8Array.of(1, 2, 3)
const letter = { meetingId: 'standup', groupId: bytes, ref: bytes, welcome: bytes, seq: 4 }

/** What minor version 1 brought: the answer as it travels, what it is read as, and broken ones. */
const answers: readonly [RequestName, object, object, readonly object[]][] = [
  ['groupInfo', { groupInfo: bytes, seq: 7 }, {}, [{ groupInfo: bytes, seq: -1 }, { seq: 7 }]],
  ['report', { outcome: 'stands' }, {}, [{ outcome: 'perhaps' }, {}]],
  ['giveBack', { head: 9 }, {}, [{ head: 1.5 }, { head: '9' }]],
  ['publish', { remaining: 3, lastResort: true }, {}, [{ remaining: 3 }, { remaining: -1 }]],
  ['stock', { remaining: 0, lastResort: false }, {}, [{ lastResort: false }]],
  [
    'claim',
    { keyPackages: packKeyPackages([bytes]) },
    { keyPackages: [bytes] },
    [{ keyPackages: bytes }, { keyPackages: [bytes] }],
  ],
  ['mailbox', { mail: packMail([letter]) }, { mail: [letter] }, [{ mail: bytes }, {}]],
  ['remove', { leaves: [1, 2] }, {}, [{}, { leaves: 1 }, { leaves: [-1] }]],
  ['collect', {}, {}, []],
]

describe('answers beyond minor version 0', () => {
  it.each(answers)('to %s are read, and refused where they are no such answers', (...answer) => {
    const [name, sent, read, broken] = answer
    const reply = { ok: true, ...sent }
    expect(checked(replySchemas[name], reply)).toEqual({ ...reply, ...read })
    for (const wrong of broken) {
      expect(checked(replySchemas[name], { ok: true, ...wrong })).toBeUndefined()
    }
    const refused = { ok: false, code: 'unavailable', message: 'later' }
    expect(checked(replySchemas[name], refused)).toEqual(refused)
  })

  it('to enter name the minor version, or none', () => {
    const reply = { ok: true, group: null, externalSender: bytes, nonce: bytes }
    expect(checked(replySchemas.enter, reply)).toEqual(reply)
    expect(checked(replySchemas.enter, { ...reply, minor: 1 })).toEqual({ ...reply, minor: 1 })
    expect(checked(replySchemas.enter, { ...reply, minor: 'one' })).toBeUndefined()
  })
})

describe('notices of minor version 1', () => {
  it('are read, and dropped where they are no such notices', () => {
    const wanted = { groupId: bytes, seq: 4 }
    expect(checked(noticeSchemas.statusWanted, wanted)).toEqual(wanted)
    expect(checked(noticeSchemas.statusWanted, { groupId: bytes })).toBeUndefined()
    const low = { deviceKey: bytes, remaining: 1, lastResort: false }
    expect(checked(noticeSchemas.stockLow, low)).toEqual(low)
    expect(checked(noticeSchemas.stockLow, { ...low, remaining: null })).toBeUndefined()
  })
})
