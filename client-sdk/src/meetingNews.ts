import type { ConclaveError } from '@conclave/core'
import type { Group } from '@conclave/core/mls/group'
import { type IsolatedEmitter, isolated } from './isolatedEmitter.ts'
import type { MeetingCalls } from './meetingCalls.ts'
import type { EpochView, MeetingEvents } from './meetingEvents.ts'
import type { MeetingMedia } from './meetingMedia.ts'
import type { Rooms } from './rooms/rooms.ts'
import type { ChatReceived } from './session/chat.ts'
import type { Agreed } from './session/continuation.ts'
import type { JoinProgress } from './session/entrance.ts'
import type { EpochListSignatures } from './session/listSignatures.ts'
import type { MeetingEffect } from './session/meetingEffect.ts'
import type { MeetingKeys } from './session/meetingKeys.ts'
import type { MeetingChange, MeetingRoster } from './session/meetingRoster.ts'
import type { Participant } from './session/roster.ts'
import type { SafetyCode } from './session/safetyCode.ts'
import { SessionError } from './session/sessionError.ts'
import type { EndReason, SessionEvents } from './session/sessionEvents.ts'

export interface MeetingNewsOptions {
  readonly events: Pick<IsolatedEmitter<MeetingEvents>, 'emit'>
  readonly roster: MeetingRoster
  readonly keys: Pick<MeetingKeys, 'epochBegan' | 'continued' | 'close'>
  readonly listSignatures: Pick<EpochListSignatures, 'epochBegan' | 'continued'>
  readonly calls: Pick<MeetingCalls, 'close'>
  readonly media: Pick<MeetingMedia, 'close'>
  readonly rooms: Pick<
    Rooms<never>,
    'parentEpochBegan' | 'parentConnectionChanged' | 'announced' | 'leaveAll' | 'close'
  >
  readonly onProgress: ((progress: JoinProgress) => void) | undefined
  /** Told of problems until the first epoch: nobody hears events before. */
  readonly onProblem: ((error: ConclaveError) => void) | undefined
}

/**
 * What becomes of all that the session tells: first keys, roster and rooms follow it, then the
 * application hears of it.
 */
export class MeetingNews implements SessionEvents {
  readonly #options: MeetingNewsOptions
  readonly #events: Pick<IsolatedEmitter<MeetingEvents>, 'emit'>
  readonly #roster: MeetingRoster
  readonly #entered = Promise.withResolvers<void>()
  #hasEntered = false
  #over: ConclaveError | undefined

  constructor(options: MeetingNewsOptions) {
    this.#options = options
    this.#events = options.events
    this.#roster = options.roster
  }

  /** Resolves with the first epoch; rejects where the meeting is over before. */
  get entered(): Promise<void> {
    return this.#entered.promise
  }

  /** Why the meeting is over, once it is. */
  get over(): ConclaveError | undefined {
    return this.#over
  }

  epochBegan(group: Group, effect: MeetingEffect | undefined): void {
    const change = this.#roster.epochBegan(group, effect)
    // Whoever has entered anew has not seen what became of the others.
    const removed = effect?.removed ?? change.left.map(({ participant }) => participant.leaf)
    if (change.leaves === undefined) {
      this.#options.listSignatures.epochBegan(group)
      this.#options.keys.epochBegan(group, removed)
    } else {
      this.#leaveGroup(group, change.leaves)
    }
    const committer = effect && this.#roster.current.at(effect.proposals.committer)
    this.#tell(group, change, committer)
  }

  continued(group: Group, agreed: Agreed): void {
    const { leaves, by, ...change } = this.#roster.continued(group, agreed)
    this.#leaveGroup(group, leaves)
    this.#events.emit('reinitialised', { cipherSuite: agreed.cipherSuite, by })
    this.#tell(group, change, undefined)
  }

  /** @param leaves whose leaf in the old group is which in this one */
  #leaveGroup(group: Group, leaves: ReadonlyMap<number, number>): void {
    const { keys, listSignatures, rooms } = this.#options
    listSignatures.continued(group)
    keys.continued(group, leaves)
    // What tied them to the meeting were keys of the group that is over.
    void rooms.leaveAll(new SessionError('meeting-closed', 'its meeting has another group'))
  }

  #tell(
    group: Group,
    { joined, left, suspects }: MeetingChange,
    committer: Participant | undefined,
  ): void {
    this.#hasEntered = true
    this.#entered.resolve()
    this.#options.rooms.parentEpochBegan(
      group,
      joined.map(({ participant }) => participant.identity),
    )
    for (const { participant, departure } of left) {
      this.#events.emit('participantLeft', participant, departure)
    }
    for (const { participant, arrival } of joined) {
      this.#events.emit('participantJoined', participant, arrival)
    }
    for (const participant of suspects) this.#events.emit('deviceChanged', participant)
    this.#events.emit('epochChanged', { ...viewOf(this.#roster), committer })
  }

  received(message: ChatReceived): void {
    const { id, leaf } = message
    const participant = this.#roster.current.at(leaf)
    if (participant === undefined) return
    switch (message.kind) {
      case 'chat':
        this.#events.emit('message', { id, participant, text: message.text })
        break
      case 'reaction': {
        const { to, emoji } = message
        this.#events.emit('reaction', { id, participant, to, emoji })
        break
      }
      case 'room': {
        const room = this.#options.rooms.announced(message.description)
        if (room !== undefined) {
          this.#events.emit('roomOpened', { ...room, openedBy: participant })
        }
      }
    }
  }

  missed(leaf: number, count: number): void {
    const participant = this.#roster.current.at(leaf)
    if (participant !== undefined) this.#events.emit('messagesMissed', { participant, count })
  }

  connectionChanged(connected: boolean): void {
    this.#options.rooms.parentConnectionChanged(connected)
    this.#events.emit('connectionChanged', connected)
  }

  progress(progress: JoinProgress): void {
    isolated(() => this.#options.onProgress?.(progress))
  }

  lost(error: ConclaveError): void {
    this.#roster.lostPlace()
    this.#events.emit('rejoining', error)
  }

  problem(error: ConclaveError): void {
    if (this.#hasEntered) this.#events.emit('problem', error)
    else isolated(() => this.#options.onProblem?.(error))
  }

  ended(
    reason: EndReason,
    error: ConclaveError | undefined,
    removal: MeetingEffect | undefined,
  ): void {
    const { calls, rooms, media, keys } = this.#options
    const over = error ?? new SessionError('session-ended', `the meeting is over: ${reason}`)
    this.#over = over
    const departure = this.#roster.ended(reason, removal)
    calls.close()
    void rooms.close(over)
    media.close()
    keys.close()
    this.#entered.reject(over)
    this.#events.emit('ended', reason, error, departure)
  }
}

/** The current epoch as applications see it, once there is one. */
export function viewOf({ current, safetyCode }: MeetingRoster): EpochView {
  const { epoch, digits } = safetyCode as SafetyCode
  return { epoch, members: current.participants, safetyCode: digits }
}
