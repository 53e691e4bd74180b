import { concatBytes, fromHex, fromUtf8, toHex, utf8 } from '@conclave/core/codec'
import type { GroupKey, Store } from '../store.ts'
import type { RedisConnection } from './redisConnection.ts'
import { bytesOf, corrupted, listOf } from './replies.ts'
import { storeScripts } from './storeScripts.ts'

/**
 * The list of meetings, in a hash slot of its own: a sorted set, all of one score, whose members
 * are meeting id, zero octet, group id. A member whose group is gone is taken off when it is found;
 * that a meeting has another group by then does not matter.
 */
export interface MeetingIndex {
  /** @param keepFor milliseconds */
  add(key: GroupKey, keepFor: number): Promise<void>
  remove(key: GroupKey): Promise<void>
  list: Store['listMeetings']
}

/** @param isCurrent whether the meeting still has the group */
export function meetingIndex(
  redis: RedisConnection,
  prefix: string,
  isCurrent: (key: GroupKey) => Promise<boolean>,
): MeetingIndex {
  const index = `${prefix}:{meetings}`

  return {
    async add(key, keepFor) {
      await redis.run(storeScripts.listMeeting, () => index, [memberOf(key), keepFor])
    },

    async remove(key) {
      await redis.send(index, ['ZREM', index, memberOf(key)])
    },

    async list(cursor, limit) {
      const after = cursor === null ? '-' : concatBytes(utf8('('), fromHex(cursor))
      const page = await redis.send(index, [
        ...['ZRANGE', index],
        after,
        ...['+', 'BYLEX', 'LIMIT', 0, limit],
      ])
      const members = listOf(page).map(bytesOf)
      const current = await Promise.all(
        members.map(async (member) => {
          const key = keyOf(member)
          if (await isCurrent(key)) return [key.meetingId]
          await redis.send(index, ['ZREM', index, member])
          return []
        }),
      )
      const last = members.length < limit ? undefined : members.at(-1)
      return { meetingIds: current.flat(), cursor: last === undefined ? null : toHex(last) }
    },
  }
}

function memberOf({ meetingId, groupId }: GroupKey): Uint8Array {
  return concatBytes(utf8(`${meetingId}\0${toHex(groupId)}`))
}

function keyOf(member: Uint8Array): GroupKey {
  const text = fromUtf8(member)
  const end = text?.lastIndexOf('\0') ?? -1
  if (text === undefined || end === -1) throw corrupted('a meeting')
  return { meetingId: text.slice(0, end), groupId: fromHex(text.slice(end + 1)) }
}
