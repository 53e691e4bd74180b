import { expect } from 'vitest'
import { type Bytes, toHex } from '../../src/codec/bytes.ts'
import type { ConclaveError } from '../../src/error.ts'
import type { MeetingErrorCode } from '../../src/meeting/index.ts'
import type { Group } from '../../src/mls/group/index.ts'
import type { MlsErrorCode, PublicGroup } from '../../src/mls/public/index.ts'
import type { ForgedCommit } from './malformed.ts'
import { type Party, publicMessageIn, viewOf } from './party.ts'

export type RefusalCode = MlsErrorCode | MeetingErrorCode

export function refusal(code: string): unknown {
  return expect.objectContaining({ code })
}

/** The code with which `group` rejects `message`, having changed nothing at all. */
export async function rejectionOf(group: Group, message: Bytes): Promise<string> {
  const before = wholeStateOf(group)
  const received = await group.receive(message)
  if (!('error' in received)) return received.kind
  expect(wholeStateOf(group)).toEqual(before)
  return codeOf(received.error)
}

/**
 * Everyone but `from` rejects `message` with `code` and is exactly as before: the group still takes
 * a commit of each of them.
 */
export async function expectRejected(
  party: Party,
  from: string,
  message: Bytes,
  code: RefusalCode,
): Promise<void> {
  const receivers = party.others(from)
  expect(receivers.length).toBeGreaterThan(0)
  for (const { group } of receivers) expect(await rejectionOf(group, message)).toBe(code)
  await expectAlive(party)
}

/**
 * The same for a commit; who follows the group without its secrets refuses it with the same code,
 * also where all that comes beside it fits.
 */
export async function expectCommitRefused(
  party: Party,
  from: string,
  { message, groupInfo, welcome }: ForgedCommit,
  code: RefusalCode,
): Promise<void> {
  const follower = party.others(from)[0]?.group.public
  if (follower === undefined) throw new Error('nobody follows the group')
  const before = publicViewOf(follower)
  const followed = follower.withCommit(publicMessageIn(message), groupInfo, welcome)
  await expect(followed).rejects.toEqual(refusal(code))
  expect(publicViewOf(follower)).toEqual(before)
  await expectRejected(party, from, message, code)
}

/** Somebody's commit goes through, and all agree. */
export async function expectAlive(party: Party): Promise<void> {
  const last = party.participants.at(-1)
  if (last === undefined) throw new Error('the party is empty')
  await party.commit(last.person.name)
  const [first, ...others] = party.participants.map(({ group }) => viewOf(group))
  for (const view of others) expect(view).toEqual(first)
}

/** With all that a member keeps: secrets, message keys, proposals, past epochs. */
function wholeStateOf(group: Group): Readonly<Record<string, unknown>> {
  return { ...viewOf(group), state: toHex(group.encodeState().expose()) }
}

/** What anybody can compare of a group that they only follow. */
export function publicViewOf(group: PublicGroup): Readonly<Record<string, unknown>> {
  return {
    context: group.groupContext,
    treeHash: toHex(group.tree.treeHash(group.crypto)),
    interimTranscriptHash: toHex(group.interimTranscriptHash),
    proposals: [...group.proposals.keys()],
  }
}

export function codeOf(error: ConclaveError): string {
  return error.code
}
