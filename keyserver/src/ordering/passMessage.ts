import { equalBytes } from '@conclave/core/codec'
import type { PackedReplyTo, RequestOf } from '@conclave/core/delivery'
import type { PrivateMessage } from '@conclave/core/wire'
import type { Attendance } from './attendance.ts'
import type { Participant } from './audience.ts'
import type { GroupLog } from './groupLog.ts'
import { readApplicationMessage } from './messages.ts'
import { refuse, refuseFor } from './orderingError.ts'

/**
 * Whether an application message may be passed on. It is encrypted, so that this says which group
 * and epoch it claims, and that a member's connection has sent it; who has written it its readers see.
 *
 * @param learn takes in what other instances have appended, who may have removed whoever sends it
 */
export async function checkPassing(
  { log, attendance }: { readonly log: GroupLog; readonly attendance: Attendance },
  participant: Participant,
  { message }: RequestOf<'send'>,
  learn: () => Promise<unknown>,
): Promise<PackedReplyTo<'send'>> {
  let sent: PrivateMessage
  try {
    sent = readApplicationMessage(message)
  } catch (error) {
    return refuseFor('message-invalid', error)
  }
  if (!equalBytes(sent.groupId, log.key.groupId)) {
    return refuse('group-unknown', 'the message is for another group')
  }
  await learn()
  const { epoch } = log.followed
  // Whoever has sent it may have had no time yet to take in the newest commit.
  if (sent.epoch !== BigInt(epoch) && sent.epoch !== BigInt(epoch - 1)) {
    return refuse('epoch-mismatch', `the group is in epoch ${epoch}`)
  }
  if (attendance.leafOf(participant) === undefined) {
    return refuse('presence-invalid', 'the connection speaks for no leaf of the group')
  }
  return { ok: true }
}
