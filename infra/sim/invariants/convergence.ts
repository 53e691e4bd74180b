import { equalBytes } from '@conclave/core/codec'
import type { Group } from '@conclave/core/mls/group'
import type { Store } from '@conclave/keyserver'
import type { Person } from '../people/person.ts'

/**
 * Why not everybody who wants to is in the newest epoch, with nobody else; undefined where they are.
 */
export async function whatIsMissing(
  people: readonly Person[],
  store: Store,
  meetingId: string,
): Promise<string | undefined> {
  const wanted = people.filter(({ wants }) => wants)
  const current = await store.currentGroup(meetingId)
  if (current === null) return wanted.length > 0 ? 'the meeting has no group' : undefined
  if (wanted.length === 0) return 'the group is still there'
  const expected = wanted
    .map(({ identity }) => identity)
    .sort()
    .join()
  for (const { identity, life } of wanted) {
    const group = life?.group
    if (group === undefined) return `${identity} is not in`
    if (!equalBytes(group.groupId, current.groupId)) return `${identity} is in another group`
    if (Number(group.epoch) !== current.epoch) {
      return `${identity} is in epoch ${group.epoch} of ${current.epoch}`
    }
    const roster = [...rosterOf(group)].sort().join()
    if (roster !== expected) return `${identity} sees ${roster} instead of ${expected}`
    if (life?.transport.isConnected !== true) return `${identity} is not connected`
  }
  const idle = people.find(({ wants, life }) => !wants && life?.isIn === true)
  return idle && `${idle.identity} is still in`
}

/** The identities of a group's members, one for each leaf. */
export function rosterOf({ members }: Group): readonly string[] {
  return members.map(({ leafNode: { credential } }) =>
    'identity' in credential ? new TextDecoder().decode(credential.identity) : '',
  )
}
