import type { ConclaveError } from '@conclave/core'
import type { EndReason, EpochView, MeetingEvents, SecureMeeting } from '../../../src/index.ts'

/** Writes down what a meeting tells its application. */
export class Witness {
  readonly epochs: EpochView[] = []
  readonly joined: string[] = []
  readonly left: string[] = []
  readonly connection: boolean[] = []
  readonly problems: ConclaveError[] = []
  /** Why a place in the group was lost and is taken again. */
  readonly lost: ConclaveError[] = []
  /** Suites in which the meeting went on, and who had proposed it. */
  readonly reinitialised: string[] = []
  /** What others wrote: `alice: hello`, `alice: 👍 of <id>`, `alice: 2 missed`. */
  readonly chat: string[] = []
  /** The ids of what others wrote. */
  readonly ids: string[] = []
  readonly ended: { reason: EndReason; error: ConclaveError | undefined }[] = []
  /** Events that came after the last one. */
  readonly late: string[] = []

  constructor(meeting: SecureMeeting) {
    const note = <E extends keyof MeetingEvents>(event: E, listener: MeetingEvents[E]) => {
      const noting = (...args: unknown[]) => {
        if (this.ended.length > 0) this.late.push(event)
        ;(listener as (...args: unknown[]) => void)(...args)
      }
      meeting.on(event, noting as MeetingEvents[E])
    }
    note('epochChanged', (change) => this.epochs.push(change))
    note('participantJoined', ({ identity }) => this.joined.push(identity))
    note('participantLeft', ({ identity }) => this.left.push(identity))
    note('connectionChanged', (connected) => this.connection.push(connected))
    note('problem', (error) => this.problems.push(error))
    note('rejoining', (error) => this.lost.push(error))
    note('reinitialised', ({ cipherSuite, by }) =>
      this.reinitialised.push(`${cipherSuite} ${by?.identity}`),
    )
    note('message', ({ participant, text, id }) => {
      this.ids.push(id)
      this.chat.push(`${participant.identity}: ${text}`)
    })
    note('reaction', ({ participant, emoji, to, id }) => {
      this.ids.push(id)
      this.chat.push(`${participant.identity}: ${emoji} of ${to}`)
    })
    note('messagesMissed', ({ participant, count }) =>
      this.chat.push(`${participant.identity}: ${count} missed`),
    )
    note('ended', (reason, error) => this.ended.push({ reason, error }))
  }
}

export function identities(meeting: SecureMeeting): string[] {
  return meeting.view.members.map(({ identity }) => identity).sort()
}

/** Whether all of them are in one epoch with these members. */
export function agree(meetings: readonly SecureMeeting[], members: readonly string[]): boolean {
  const views = meetings.map(({ view }) => `${view.epoch} ${view.safetyCode}`)
  const expected = [...members].sort().join()
  return new Set(views).size === 1 && meetings.every((m) => identities(m).join() === expected)
}
