const roomName = /^(?<parent>.+)#room-[0-9a-f]{32}$/s

/**
 * The meeting id of a breakout room: its parent's, and 16 bytes in hexadecimal form that name what
 * the room was opened as.
 */
export function roomIdOf(parentMeetingId: string, hex: string): string {
  return `${parentMeetingId}#room-${hex}`
}

/** The meeting that a room belongs to; undefined where the id is no room's. */
export function parentMeetingOf(meetingId: string): string | undefined {
  return roomName.exec(meetingId)?.groups?.['parent']
}
