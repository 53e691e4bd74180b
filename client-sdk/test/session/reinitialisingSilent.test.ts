import { decode, toHex } from '@conclave/core/codec'
import { MlsMessage } from '@conclave/core/wire'
import { describe, expect, it } from 'vitest'
import {
  agreeOnKeys,
  all,
  chacha,
  type Four,
  meetingOf,
  outcomeOf,
  talk,
} from './support/attendees.ts'
import { Room } from './support/room.ts'

describe('whoever does not answer', () => {
  it('is named, and the meeting goes on as it was', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const [alice, bob, carol] = attendees
    bob.port.tamper.offer = async () => ({ ok: true, missing: [] })
    const wish = alice.meeting.reinitialise({ cipherSuite: chacha })
    const outcome = outcomeOf(wish)
    const begun = room.clock.now()
    await room.until(() => outcome.value !== '')
    expect(outcome.value).toBe('members-silent bob')
    expect(room.clock.now() - begun).toBe(60_000)
    await expect(wish).rejects.toMatchObject({
      members: [{ identity: 'bob', leaf: bob.meeting.self.leaf }],
    })
    await talk(room, attendees)
    await room.agreed(attendees, all)
    for (const { witness } of attendees) {
      expect(witness.reinitialised).toEqual([])
      expect(witness.lost).toEqual([])
    }
    // As soon as bob answers it can be done.
    delete bob.port.tamper.offer
    const again = outcomeOf(carol.meeting.reinitialise({ cipherSuite: chacha }))
    await room.until(() => again.value !== '')
    expect(again.value).toBe('done')
    await room.agreed(attendees, all)
  })

  it('is asked again for another group each time, as one that was lost may have begun', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const [alice, bob] = attendees
    bob.port.tamper.offer = async () => ({ ok: true, missing: [] })
    const proposed: string[] = []
    alice.port.tamper.propose = async ({ message }, honest) => {
      const sent = decode(MlsMessage, message)
      const { content } = 'publicMessage' in sent ? sent.publicMessage : {}
      if (content !== undefined && 'proposal' in content && 'groupId' in content.proposal) {
        proposed.push(toHex(content.proposal.groupId))
      }
      return await honest()
    }
    const outcome = outcomeOf(alice.meeting.reinitialise({ cipherSuite: chacha }))
    await room.until(() => bob.port.count('offer') > 0)
    // Whoever is new may answer.
    await room.join('eve')
    await room.until(() => outcome.value !== '')
    expect(proposed.length).toBeGreaterThan(1)
    expect(new Set(proposed).size).toBe(proposed.length)
  })

  it('does not keep the others from writing', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const [alice, bob] = attendees
    bob.port.tamper.offer = async () => ({ ok: true, missing: [] })
    const outcome = outcomeOf(alice.meeting.reinitialise({ cipherSuite: chacha }))
    await room.until(() => bob.port.count('offer') > 0)
    await talk(room, attendees)
    expect(outcome.value).toBe('')
    await room.until(() => outcome.value !== '')
  })

  it('because it is away is removed first', async () => {
    const room = Room.open('the real one')
    const attendees = (await meetingOf(room, ...all)) as Four
    const [alice, bob, carol, dan] = attendees
    bob.port.drop()
    const outcome = outcomeOf(alice.meeting.reinitialise({ cipherSuite: chacha }))
    await room.until(() => outcome.value !== '')
    expect(outcome.value).toBe('done')
    await room.agreed([alice, carol, dan], ['alice', 'carol', 'dan'])
    expect(alice.witness.left).toEqual(['bob'])
    // And comes back to the meeting as it is now.
    bob.port.connect()
    await room.agreed(attendees, all)
    agreeOnKeys(attendees)
    expect(bob.witness.lost.length).toBe(1)
    expect(bob.witness.ended).toEqual([])
  })
})
