import { decode } from '@conclave/core/codec'
import { readVoid } from '@conclave/core/delivery'
import { ContentType, MlsMessage, WireFormat } from '@conclave/core/wire'
import type { Store } from '@conclave/keyserver'
import { Violation } from '../violation.ts'

const wholeLog = 1 << 20

/**
 * The log of the meeting's group, as the store has it: numbered without gaps, each epoch ended by
 * one commit, each of those with a path.
 * @throws Violation `log-gap`, `epoch-with-two-commits`, `commit-without-path`
 */
export async function checkLog(store: Store, meetingId: string): Promise<void> {
  const current = await store.currentGroup(meetingId)
  if (current === null) return
  const key = { meetingId, groupId: current.groupId }
  const page = await store.readEntries(key, 0, wholeLog)
  if (page === undefined) return
  let expected = page.trimmed + 1
  let epoch: bigint | undefined
  for (const { seq, message } of page.entries) {
    if (seq !== expected)
      throw new Violation('log-gap', `entry ${seq} stands where ${expected} is due`)
    expected += 1
    if (readVoid(message) !== undefined) {
      epoch = epoch === undefined ? undefined : epoch - 1n
      continue
    }
    const decoded = decode(MlsMessage, message)
    if (decoded.wireFormat !== WireFormat.publicMessage) continue
    const { content } = decoded.publicMessage
    if (content.contentType !== ContentType.commit) continue
    if (epoch !== undefined && content.epoch !== epoch) {
      const detail = `entry ${seq} ends epoch ${content.epoch} in epoch ${epoch}`
      throw new Violation('epoch-with-two-commits', detail)
    }
    epoch = content.epoch + 1n
    if (content.commit.path === undefined) {
      throw new Violation('commit-without-path', `the commit at ${seq} has no path`)
    }
  }
}
