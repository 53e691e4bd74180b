import { type Bytes, fromHex, toHex } from '@conclave/core/codec'
import type { ServerNotices } from '@conclave/core/delivery'
import type { Audience, Reach } from '../ordering/audience.ts'
import type { DeliveryNamespace } from './deliverySocket.ts'

/** Rooms of socket.io, one for all who have entered a meeting and one for those who follow its log. */
export const meetingRoom = (meetingId: string): string => `meeting:${meetingId}`
const followersRoom = (meetingId: string): string => `followers:${meetingId}`
/** Those of them to whom every notice names all KeyPackages that wait. */
const forgetfulRoom = (meetingId: string): string => `followers:before-4:${meetingId}`
/** Clients of minor version 0, who are not told what came later. */
export const firstMinorRoom = 'minor:0'
/** Clients of minor versions 0 and 1, who know of no application messages. */
export const wordlessRoom = 'minor:before-2'
/** Clients of minor versions before 4, for whom a group that is continued has ended. */
export const endingRoom = 'minor:before-4'
/** Connections of an identity that know of the directory. */
export const identityRoom = (identity: string): string => `identity:${identity}`

/**
 * Sends notices to the sockets in their rooms.
 * @param shared whether other instances have sockets of the same meetings
 * @param hasGoneOn whether the meeting has another group here than this one
 */
export function socketAudience(
  clients: DeliveryNamespace,
  shared: boolean,
  hasGoneOn: (meetingId: string, groupId: Bytes) => boolean,
): Audience {
  const reaching = ({ here = false }: Reach = {}) => (here ? clients.local : clients)
  const followers = (meetingId: string, reach?: Reach) =>
    reaching(reach).to(followersRoom(meetingId))
  const followingRooms = (meetingId: string) => [followersRoom(meetingId), forgetfulRoom(meetingId)]
  const closeHere = (meetingId: string, notice: ServerNotices['closed']): void => {
    const room = meetingRoom(meetingId)
    clients.local.to(room).emit('closed', notice)
    for (const id of clients.adapter.rooms.get(room) ?? []) {
      clients.sockets.get(id)?.data.connection.exit()
    }
    clients.local.in(room).socketsLeave([room, ...followingRooms(meetingId)])
  }
  const continueHere = (meetingId: string, notice: ServerNotices['continued']): void => {
    const room = meetingRoom(meetingId)
    clients.local.to(room).except(endingRoom).emit('continued', notice)
    const { rooms } = clients.adapter
    const ending = [...(rooms.get(room) ?? [])].filter((id) => rooms.get(endingRoom)?.has(id))
    for (const id of ending) {
      clients.local.to(id).emit('closed', { groupId: notice.groupId, reason: 'ended' })
      clients.sockets.get(id)?.data.connection.exit()
      clients.local.in(id).socketsLeave(room)
    }
    clients.local.in(followersRoom(meetingId)).socketsLeave(followingRooms(meetingId))
  }
  if (shared) {
    clients.on('continued', (meetingId, hex, nextHex) => {
      const groupId = fromHex(hex)
      // Late news: whoever follows the next group already would follow it no more.
      if (hasGoneOn(meetingId, groupId)) return
      continueHere(meetingId, { groupId, next: fromHex(nextHex) })
    })
    clients.on('closed', (meetingId, hex, reason) => {
      const groupId = fromHex(hex)
      // Late news: whoever is in the next group already would be out of it without a word.
      if (!hasGoneOn(meetingId, groupId)) closeHere(meetingId, { groupId, reason })
    })
  }
  return {
    follow: (meetingId, connection) => {
      const isForgetful = clients.adapter.rooms.get(endingRoom)?.has(connection) === true
      const rooms = isForgetful ? followingRooms(meetingId) : followersRoom(meetingId)
      clients.local.in(connection).socketsJoin(rooms)
    },
    entry: (meetingId, notice, reach) => {
      followers(meetingId, reach).emit('entry', notice)
    },
    waiting: (meetingId, notice, whole, reach) => {
      followers(meetingId, reach).except(endingRoom).emit('waiting', notice)
      const { groupId } = notice
      const forgetful = reaching(reach).to(forgetfulRoom(meetingId))
      forgetful.emit('waiting', { groupId, joiners: whole })
    },
    present: (meetingId, notice, reach) => {
      followers(meetingId, reach).emit('present', notice)
    },
    statusWanted: (meetingId, notice) => {
      followers(meetingId).except(firstMinorRoom).emit('statusWanted', notice)
    },
    message: (meetingId, notice, from) => {
      followers(meetingId).except([wordlessRoom, from]).emit('message', notice)
    },
    offered: (meetingId, notice) => {
      followers(meetingId).except(endingRoom).emit('offered', notice)
    },
    welcome: (connection, notice) => {
      clients.to(connection).emit('welcome', notice)
    },
    continued: (meetingId, notice, { here = false } = {}) => {
      continueHere(meetingId, notice)
      if (!shared || here) return
      clients.serverSideEmit('continued', meetingId, toHex(notice.groupId), toHex(notice.next))
    },
    closed: (meetingId, notice, { here = false } = {}) => {
      closeHere(meetingId, notice)
      if (!shared || here) return
      clients.serverSideEmit('closed', meetingId, toHex(notice.groupId), notice.reason)
    },
  }
}
