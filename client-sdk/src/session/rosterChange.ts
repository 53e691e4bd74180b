import { emptyBytes } from '@conclave/core/codec'
import { readRemovalEnvelope } from '@conclave/core/delivery'
import { SenderType } from '@conclave/core/wire'
import { isSameDevice, type Participant, type Roster, type RosterEffect } from './roster.ts'

/** How somebody has come in. */
export interface Arrival {
  /** The epoch that began with them. */
  readonly epoch: bigint
  readonly way: /** By a member's commit, from the waiting list. */
    | 'added'
    /** By a commit of their own (RFC 9420 §12.4.3.2). */
    | 'external'
    /** While we had lost our place: nobody can say how. */
    | 'unseen'
  readonly committedBy: Participant | undefined
}

/** Why somebody is in the meeting no more. */
export interface Departure {
  /** The first epoch without them. */
  readonly epoch: bigint
  readonly reason: /** They said goodbye. */
    | 'left'
    /** The keyserver asked for it, because they were out of touch, as it says. */
    | 'absent'
    /** The keyserver asked for it, because they had renewed no keys for too long, as it says. */
    | 'idle'
    /** Another participant asked for it, or the keyserver at somebody's word. */
    | 'removed'
    /** The same device has taken another leaf, by a commit of its own; it is among those who came. */
    | 'replaced'
    /** While we had lost our place: nobody can say why. */
    | 'unseen'
  /** Who proposed it; undefined where it was unseen. */
  readonly askedBy: Participant | 'keyserver' | undefined
  /** At whose request the keyserver did so, where that participant has signed it. */
  readonly requestedBy?: Participant | undefined
  /** Whose commit carried it out; undefined where it was unseen. */
  readonly committedBy: Participant | undefined
}

export interface Joined {
  readonly participant: Participant
  readonly arrival: Arrival
}

export interface Left {
  readonly participant: Participant
  readonly departure: Departure
}

/** What an epoch changed: `before` without those who left and with those who joined is `after`. */
export interface RosterChange {
  readonly joined: readonly Joined[]
  readonly left: readonly Left[]
  /** Who has entered anew with the same device; where its leaf is the same, nobody left or joined. */
  readonly returned: Participant | undefined
}

export const noChange: RosterChange = { joined: [], left: [], returned: undefined }

/**
 * @param epoch the one that `after` is of
 * @param effect of the commit between the two; undefined where we have entered anew in between, and
 *   only their difference is known
 */
export function rosterChange(
  before: Roster,
  after: Roster,
  epoch: bigint,
  effect: RosterEffect | undefined,
): RosterChange {
  if (effect === undefined) return unseenChange(before, after, epoch)
  const { proposals, added } = effect
  const { committer, externalInit, removes } = proposals
  const committedBy = after.at(committer)
  const external = externalInit !== undefined
  // The policy lets a newcomer remove its own old leaf and nothing else.
  const old = removes.find(({ sender }) => sender.senderType === SenderType.newMemberCommit)
  const inPlace = old?.leafIndex === committer
  const left = removes.flatMap((remove): readonly Left[] => {
    const participant = before.at(remove.leafIndex)
    if (participant === undefined || (inPlace && remove === old)) return []
    const requester = effect.requests?.get(remove.leafIndex)
    const requestedBy = requester === undefined ? undefined : before.at(requester)
    const asked = {
      ...askedFor(remove, before, committedBy),
      ...(requestedBy !== undefined && { requestedBy }),
    }
    return [{ participant, departure: { epoch, ...asked, committedBy } }]
  })
  const joined = (leaf: number, way: Arrival['way']): readonly Joined[] => {
    const participant = after.at(leaf)
    return participant === undefined ? [] : [{ participant, arrival: { epoch, way, committedBy } }]
  }
  return {
    left,
    joined: [
      ...added.flatMap(({ leafIndex }) => joined(leafIndex, 'added')),
      ...(external && !inPlace ? joined(committer, 'external') : []),
    ],
    returned: old && committedBy,
  }
}

function askedFor(
  {
    leafIndex,
    kind,
    sender,
    authenticatedData = emptyBytes,
  }: RosterEffect['proposals']['removes'][number],
  before: Roster,
  committedBy: Participant | undefined,
): Pick<Departure, 'reason' | 'askedBy'> {
  if (kind === 'self-remove') return { reason: 'left', askedBy: before.at(leafIndex) }
  switch (sender.senderType) {
    case SenderType.external:
      // An older keyserver gives no reason, and removes for absence as a rule.
      return {
        reason: readRemovalEnvelope(authenticatedData)?.reason ?? 'absent',
        askedBy: 'keyserver',
      }
    case SenderType.newMemberCommit:
      return { reason: 'replaced', askedBy: committedBy }
    default:
      return {
        reason: 'removed',
        askedBy: sender.senderType === SenderType.member ? before.at(sender.leafIndex) : undefined,
      }
  }
}

/**
 * What a group that continues another changes: nobody has come or gone by it.
 * @param leaves whose leaf in the old group is which in the new one
 */
export function continuedChange(
  before: Roster,
  after: Roster,
  epoch: bigint,
  leaves: ReadonlyMap<number, number>,
): RosterChange {
  const moved = new Set(leaves.values())
  return unseen(
    before.participants.filter(({ leaf }) => !leaves.has(leaf)),
    after.participants.filter(({ leaf }) => !moved.has(leaf)),
    epoch,
  )
}

/** A leaf whose place another device has taken counts as one who left and one who joined. */
function unseenChange(before: Roster, after: Roster, epoch: bigint): RosterChange {
  return unseen(notAmong(after, before), notAmong(before, after), epoch)
}

function unseen(
  left: readonly Participant[],
  joined: readonly Participant[],
  epoch: bigint,
): RosterChange {
  const arrival: Arrival = { epoch, way: 'unseen', committedBy: undefined }
  const departure: Departure = {
    epoch,
    reason: 'unseen',
    askedBy: undefined,
    committedBy: undefined,
  }
  return {
    left: left.map((participant) => ({ participant, departure })),
    joined: joined.map((participant) => ({ participant, arrival })),
    returned: undefined,
  }
}

function notAmong(others: Roster, roster: Roster): readonly Participant[] {
  return roster.participants.filter((participant) => {
    const other = others.at(participant.leaf)
    return other === undefined || !isSameDevice(other, participant)
  })
}
