import { expect } from 'vitest'
import { utf8 } from '../../src/codec/bytes.ts'
import { Group, type GroupInfoOptions, type PendingCommit } from '../../src/mls/group/index.ts'
import { permissivePolicy } from '../../src/mls/public/index.ts'
import type { GroupInfo } from '../../src/wire/index.ts'
import { groupInfoIn, type Party, type PartyOptions, type Person, viewOf } from './party.ts'

export const permissive: PartyOptions = { policy: permissivePolicy, extensions: [] }
export const open: GroupInfoOptions = { externalPub: true, ratchetTree: true }

export async function groupInfoOf(party: Party, options = open): Promise<GroupInfo> {
  const last = party.participants.at(-1)
  if (last === undefined) throw new Error('nobody can describe the group')
  return groupInfoIn(await last.group.groupInfo(options))
}

type Joining = Omit<Parameters<typeof Group.joinExternally>[1], 'groupInfo' | 'own'>

/** What `person` sends to get in; the log has not taken it. */
export async function knock(
  party: Party,
  person: Person,
  joining: Joining = {},
): Promise<PendingCommit> {
  const groupInfo = await groupInfoOf(party)
  return Group.joinExternally(party.environment, { groupInfo, own: person.own, ...joining })
}

/** The log has taken it. */
export async function enter(party: Party, person: Person, pending: PendingCommit): Promise<Group> {
  await party.deliver(pending.message)
  const group = Group.enter(pending)
  party.participants.push({ person, group })
  const [first, ...others] = party.participants.map((participant) => viewOf(participant.group))
  for (const view of others) expect(view).toEqual(first)
  return group
}

/** Everybody reads what the group's newest member writes, and the other way round. */
export async function expectHeard(party: Party): Promise<void> {
  const [first, last] = [party.participants[0], party.participants.at(-1)]
  if (first === undefined || last === undefined) throw new Error('nobody is there')
  for (const [from, to] of [
    [first.group, last.group],
    [last.group, first.group],
  ] as const) {
    const received = await to.receive(await from.protect(utf8('hello')))
    expect(received).toMatchObject({ kind: 'application', sender: from.leafIndex })
  }
}
