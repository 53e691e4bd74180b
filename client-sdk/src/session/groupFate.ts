import type { Bytes } from '@conclave/core/codec'
import type { GroupSummary, LogEntry } from '@conclave/core/delivery'
import type { DeliveryLink } from './deliveryLink.ts'
import { isTransient, refusal } from './sessionError.ts'

/** What has become of a group, as the keyserver says. */
export type GroupFate =
  | { readonly kind: 'present' }
  | { readonly kind: 'ended' }
  /** Another one continues it; `missed` is what its log still had. */
  | { readonly kind: 'moved'; readonly group: GroupSummary; readonly missed: readonly LogEntry[] }

/**
 * @param after the newest entry of its log that we know of
 * @throws SessionError where the keyserver cannot say for now
 */
export async function askFate(
  link: Pick<DeliveryLink, 'request'>,
  groupId: Bytes,
  after: number,
): Promise<GroupFate> {
  const reply = await link.request('resume', { groupId, after })
  if (reply.ok) return { kind: 'present' }
  const error = refusal(reply)
  if (isTransient(error)) throw error
  const { code, group, missed = [] } = reply
  if (code !== 'group-continued' || group === undefined) return { kind: 'ended' }
  return { kind: 'moved', group, missed }
}
