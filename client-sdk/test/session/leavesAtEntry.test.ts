import { type Bytes, encode } from '@conclave/core/codec'
import { foundingExtensions } from '@conclave/core/meeting'
import { lifetimeFrom } from '@conclave/core/mls/bootstrap'
import { Group } from '@conclave/core/mls/group'
import { permissivePolicy } from '@conclave/core/mls/public'
import { RatchetTree } from '@conclave/core/wire'
import { generateRemovalSigner } from '@conclave/keyserver'
import { describe, expect, it } from 'vitest'
import { clock, environment, leafOf, meetingId } from './support/people.ts'
import type { Port } from './support/port.ts'
import { Room } from './support/room.ts'

/** A group of mallory's alone, whose leaf her device has certified for another meeting. */
async function forgedGroup(): Promise<Group> {
  const { externalSender } = await generateRemovalSigner(globalThis.crypto.subtle)
  return Group.found(
    { ...environment, policy: permissivePolicy },
    {
      cipherSuite: 1,
      groupId: new Uint8Array(16),
      own: await leafOf('mallory', 'retro'),
      lifetime: lifetimeFrom(clock, 300),
      extensions: foundingExtensions(meetingId, { policy: 'open' }, externalSender),
    },
  )
}

/** What a keyserver says that has the meeting in this group, and takes whatever commit comes. */
async function leadingTo(group: Group, taken: (message: Bytes) => void): Promise<Port['tamper']> {
  const { groupId } = group
  const groupInfo = await group.groupInfo({ externalPub: true })
  const ratchetTree = encode(RatchetTree, group.ratchetTree)
  return {
    enter: async (_, honest) => ({
      ...(await honest()),
      group: { groupId, epoch: 0, head: 0 },
    }),
    resume: async () => ({ ok: true, entries: [], head: 0, waiting: [], present: [] }),
    groupInfo: async () => ({ ok: true, groupInfo, seq: 0 }),
    tree: async () => ({ ok: true, ratchetTree }),
    commit: async ({ message }) => {
      taken(message)
      return { ok: true, seq: 1, durable: true }
    },
  }
}

describe('a leaf that nobody should have let in', () => {
  it('is found while the commit of whoever enters is on its way, who then does not', async () => {
    const room = Room.open()
    const sent: Bytes[] = []
    const tampering = await leadingTo(await forgedGroup(), (message) => sent.push(message))
    const failure = await room.refusalOf('eve', ({ tamper }) => Object.assign(tamper, tampering))
    expect(failure).toBe('member-extension-invalid')
    expect(sent).toHaveLength(1)
  })
})
