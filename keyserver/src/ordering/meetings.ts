import type { ServerNotices } from '@conclave/core/delivery'
import { Meeting } from './meeting.ts'
import type { MeetingEnvironment } from './meetingEnvironment.ts'

interface Held {
  readonly meeting: Meeting
  participants: number
}

/** The meetings that somebody is in or that have a group. */
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
      held = { meeting: this.#make(meetingId), participants: 0 }
      this.#held.set(meetingId, held)
    }
    held.participants += 1
    return held.meeting
  }

  leave(meetingId: string): void {
    const held = this.#held.get(meetingId)
    if (held === undefined) return
    held.participants -= 1
    this.#forgetIfIdle(meetingId)
  }

  /** Ends every group, or where the store outlives this process only stops following them. */
  async close(reason: ServerNotices['closed']['reason']): Promise<void> {
    const outlives = this.#environment.store.durable
    const meetings = [...this.#held.values()].map(({ meeting }) => meeting)
    await Promise.all(
      meetings.map((meeting) =>
        meeting.lane.run(async () => (outlives ? meeting.stop() : await meeting.end(reason))),
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
    if (held === undefined || held.participants > 0 || held.meeting.hasGroup) return
    this.#held.delete(meetingId)
  }
}
