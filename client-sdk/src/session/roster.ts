import { type Bytes, equalBytes, fromUtf8, toHex } from '@conclave/core/codec'
import { memberOf } from '@conclave/core/meeting'
import type { LeafSubtree } from '@conclave/core/mls/treesync'
import { CredentialType, type LeafNode } from '@conclave/core/wire'

/** Somebody in the meeting, as their authenticated leaf says. */
export interface Participant {
  /** The leaf index, which media keys name them by. */
  readonly leaf: number
  readonly identity: string
  /** What people verify about a device; the same in every meeting. */
  readonly deviceKey: Bytes
  /** Whether this is the session's own leaf. */
  readonly self: boolean
}

export interface RosterChange {
  readonly joined: readonly Participant[]
  readonly left: readonly Participant[]
}

type Person = Pick<Participant, 'identity' | 'deviceKey'>

/** Leaves never change, and are the same objects in all epochs: each is read once. */
const people = new WeakMap<LeafSubtree, Person>()

export function rosterOf(leaves: readonly LeafSubtree[], ownLeaf: number): readonly Participant[] {
  return leaves.map((leaf) => {
    const person = people.get(leaf) ?? personAt(leaf)
    people.set(leaf, person)
    return { leaf: leaf.firstLeaf, ...person, self: leaf.firstLeaf === ownLeaf }
  })
}

function personAt(leaf: LeafSubtree): Person {
  const leafNode = leaf.leafNode as LeafNode
  const { credential } = leafNode
  const identity =
    credential.credentialType === CredentialType.basic ? fromUtf8(credential.identity) : undefined
  return {
    identity: identity ?? toHex(leafNode.signatureKey),
    deviceKey: memberOf(leafNode).deviceKey,
  }
}

/**
 * A leaf whose place somebody else has taken counts as one who left and one who joined; whoever has
 * entered anew with the same device is still there.
 */
export function rosterChange(
  before: readonly Participant[],
  after: readonly Participant[],
): RosterChange {
  return { joined: notAmong(before, after), left: notAmong(after, before) }
}

function notAmong(
  others: readonly Participant[],
  participants: readonly Participant[],
): readonly Participant[] {
  const byLeaf = new Map(others.map((other) => [other.leaf, other]))
  return participants.filter(({ leaf, identity, deviceKey }) => {
    const other = byLeaf.get(leaf)
    return other?.identity !== identity || !equalBytes(other.deviceKey, deviceKey)
  })
}
