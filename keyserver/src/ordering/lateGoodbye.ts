import { type Bytes, equalBytes } from '@conclave/core/codec'
import { encodeRemovalEnvelope } from '@conclave/core/delivery'
import { ProposalType, SenderType } from '@conclave/core/wire'
import type { Store } from '../store/store.ts'
import type { Attendance } from './attendance.ts'
import type { Participant } from './audience.ts'
import type { GroupLog } from './groupLog.ts'
import { readProposal } from './messages.ts'

const left = encodeRemovalEnvelope({ reason: 'left' })

/**
 * Where many leave at once, a goodbye is often for an epoch that has just ended. Of a connection
 * that speaks for the leaf the keyserver takes it all the same, and proposes the removal itself:
 * nobody has to stay and say it again.
 *
 * @param message a proposal that was refused for its epoch
 * @returns where the removal stands in the log; undefined where it is no such goodbye
 */
export async function takeLateGoodbye(
  { log, attendance }: { readonly log: GroupLog; readonly attendance: Attendance },
  participant: Participant,
  message: Bytes,
  store: Store,
): Promise<number | undefined> {
  const { groupId, epoch, sender, proposal } = readProposal(message).content
  const isGoodbye =
    proposal.proposalType === ProposalType.selfRemove &&
    equalBytes(groupId, log.key.groupId) &&
    epoch < BigInt(log.followed.epoch) &&
    sender.senderType === SenderType.member &&
    sender.leafIndex === attendance.leafOf(participant)
  if (!isGoodbye) return undefined
  await store.markLeaving(log.key, sender.leafIndex, left)
  await attendance.removeDue()
  const { frozenSince, head, ledger } = log.followed
  // It goes from the group that continues this one, without having to say so there.
  return frozenSince === undefined ? ledger.seqOf(sender.leafIndex) : head
}
