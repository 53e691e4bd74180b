import type { ConclaveError } from '@conclave/core'
import { encode } from '@conclave/core/codec'
import { CommitEnvelope } from '@conclave/core/delivery'
import { MeetingError } from '@conclave/core/meeting'
import {
  Group,
  type GroupInfoOptions,
  type Joining,
  type PendingCommit,
} from '@conclave/core/mls/group'
import { MlsError } from '@conclave/core/mls/public'
import { type CommitContent, ProposalOrRefType, ProposalType } from '@conclave/core/wire'
import { SessionError } from '../session/sessionError.ts'
import type { RoomBond, RoomEnvironment } from './roomBond.ts'

/**
 * Joins by a Welcome, which in a breakout room has to carry a key of the parent: whoever has made it
 * is in there, and so is whoever can open it.
 * @throws SessionError `parent-behind` where the key is of an epoch that we have not seen; MlsError,
 *   MeetingError
 */
export async function joinGroup(environment: RoomEnvironment, joining: Joining): Promise<Group> {
  const { room } = environment
  if (room === undefined) return Group.join(environment, joining)
  let named: bigint | undefined
  const noting: RoomEnvironment = {
    ...environment,
    preSharedKey: (id) => {
      named = room.epochNamedBy(id) ?? named
      return environment.preSharedKey?.(id)
    },
  }
  const join = async (): Promise<Group | MlsError> => {
    try {
      return await Group.join(noting, joining)
    } catch (error) {
      if (error instanceof MlsError && error.code === 'welcome-psk-invalid') return error
      throw error
    }
  }
  let group = await join()
  if (group instanceof MlsError && named !== undefined) {
    await room.reached(named)
    group = await join()
  }
  if (group instanceof MlsError) throw parentBehind(group)
  if (named === undefined) {
    group.close()
    throw new MeetingError('room-psk-invalid', 'the Welcome carries no key of the parent')
  }
  room.named(named)
  return group
}

/**
 * The commit that makes a group of one a branch of the parent (RFC 9420 §11.3). Everybody else enters
 * after it.
 * @throws MlsError, MeetingError
 */
export async function branchOff(
  room: RoomBond,
  group: Group,
  groupInfo: GroupInfoOptions,
): Promise<PendingCommit> {
  const { id: psk, forget } = room.branchPsk()
  try {
    return await group.commit({
      proposals: [{ proposalType: ProposalType.psk, psk }],
      authenticatedData: encode(CommitEnvelope, { seenSeq: 0n }),
      groupInfo,
    })
  } finally {
    forget()
  }
}

/** Waits until the parent is where whoever made this commit of the room was. */
export async function awaitParent(room: RoomBond, { commit }: CommitContent): Promise<void> {
  const keys = commit.proposals.flatMap((each) =>
    each.type === ProposalOrRefType.proposal && each.proposal.proposalType === ProposalType.psk
      ? [each.proposal.psk]
      : [],
  )
  const [key] = keys
  // With more than one key it counts for nothing, and nobody waits for all of them.
  const named = key && keys.length === 1 ? room.epochNamedBy(key) : undefined
  if (named !== undefined) await room.reached(named)
}

function parentBehind(cause: ConclaveError): SessionError {
  return new SessionError('parent-behind', 'others are in an epoch of the parent that we are not', {
    cause,
  })
}
