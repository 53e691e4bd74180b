import { type Bytes, equalBytes } from '@conclave/core/codec'
import type { ServerNotices } from '@conclave/core/delivery'
import { Meeting } from './meeting.ts'
import type { MeetingEnvironment } from './meetingEnvironment.ts'

interface Held {
  readonly meeting: Meeting
  users: number
}

/**
 * The meetings that this instance follows: those that somebody here is in, and where no other
 * instance could take over, those that have a group.
 */
export class Meetings {
  readonly #environment: MeetingEnvironment
  readonly #held = new Map<string, Held>()

  constructor(environment: MeetingEnvironment) {
    this.#environment = environment
  }

  get size(): number {
    return this.#held.size
  }

  /** The meeting for one more participant, whom `leave` has to follow. */
  enter(meetingId: string): Meeting {
    let held = this.#held.get(meetingId)
    if (held === undefined) {
      held = { meeting: this.#make(meetingId), users: 0 }
      this.#held.set(meetingId, held)
    }
    held.users += 1
    return held.meeting
  }

  leave(meetingId: string): void {
    const held = this.#held.get(meetingId)
    if (held === undefined) return
    held.users -= 1
    this.#forgetIfIdle(meetingId)
  }

  /** Whether a meeting is known here to have another group than this one. */
  hasGoneOn(meetingId: string, groupId: Bytes): boolean {
    const current = this.#held.get(meetingId)?.meeting.groupId
    return current !== undefined && !equalBytes(current, groupId)
  }

  /** Does something with a meeting that nobody here need be in, in its turn. */
  async visit<T>(meetingId: string, task: (meeting: Meeting) => Promise<T>): Promise<T> {
    const meeting = this.enter(meetingId)
    try {
      return await meeting.lane.run(() => task(meeting))
    } finally {
      this.leave(meetingId)
    }
  }

  /** Ends every group, or where the store outlives this process only stops following them. */
  async close(reason: ServerNotices['closed']['reason']): Promise<void> {
    const { durable, shared } = this.#environment.store
    const meetings = [...this.#held.values()].map(({ meeting }) => meeting)
    await Promise.all(
      meetings.map((meeting) =>
        meeting.lane.run(async () =>
          durable || shared ? meeting.stop() : await meeting.end(reason),
        ),
      ),
    )
  }

  #make(meetingId: string): Meeting {
    return new Meeting(meetingId, this.#environment, {
      hasRoom: () => this.#openGroups() < this.#environment.limits.groups,
      ended: () => this.#forgetIfIdle(meetingId),
    })
  }

  #openGroups(): number {
    return [...this.#held.values()].filter(({ meeting }) => meeting.hasGroup).length
  }

  #forgetIfIdle(meetingId: string): void {
    const held = this.#held.get(meetingId)
    if (held === undefined || held.users > 0) return
    if (held.meeting.hasGroup) {
      if (!this.#environment.store.shared) return
      // Another instance looks after it, or this one when its check is due.
      held.meeting.stop()
    }
    this.#held.delete(meetingId)
  }
}
