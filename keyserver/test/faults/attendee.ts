import { type EndReason, SecureMeeting } from '@conclave/client'
import type { ConclaveError } from '@conclave/core'
import type { ReplyTo, RequestName } from '@conclave/core/delivery'
import { connectServer } from '../../../client-sdk/src/edge/serverConnection.ts'
import { socketTransport } from '../../../client-sdk/src/edge/socketTransport.ts'
import type { DeliveryTransport } from '../../../client-sdk/src/session/transport.ts'
import type { Observations } from './observations.ts'
import type { Wire } from './wire.ts'

/** What may become of a request on its way. */
export type Trouble = <R>(wire: Wire, request: RequestName, send: () => Promise<R>) => Promise<R>

export interface Surroundings {
  readonly meetingId: string
  readonly observations: Observations
  readonly wire: Wire
  readonly token: () => Promise<string>
  /** The trouble of the moment. */
  readonly trouble: () => Trouble | undefined
}

/** Longer than anybody waits here: whoever hears of it has been forgotten. */
const joinTimeoutMs = 600_000

/** Somebody in the meeting, with all that the client SDK does for them. */
export class Attendee {
  readonly who: string
  readonly wire: Wire
  readonly #meeting: SecureMeeting
  #ended: string | undefined

  private constructor(who: string, meeting: SecureMeeting, { wire, observations }: Surroundings) {
    this.who = who
    this.wire = wire
    this.#meeting = meeting
    const saw = () => {
      const { epoch, safetyCode } = meeting.view
      observations.saw({ who, epoch: Number(epoch), safetyCode })
    }
    saw()
    meeting.on('epochChanged', saw)
    meeting.on('ended', (reason: EndReason, error: ConclaveError | undefined) => {
      this.#ended = error === undefined ? reason : `${reason}: ${error.code} ${error.message}`
    })
  }

  /** @throws what `SecureMeeting.join` does */
  static async join(who: string, surroundings: Surroundings): Promise<Attendee> {
    const { meetingId, observations, wire, token } = surroundings
    const meeting = await observations.awaited(who, 'to join', () =>
      SecureMeeting.join({
        keyserver: wire.url,
        meetingId,
        token: 'what the transport presents instead',
        identity: { id: who },
        trust: { policy: 'open' },
        joinTimeoutMs,
        transport: () =>
          watched(socketTransport(connectServer(wire.url), token), who, surroundings),
      }),
    )
    return new Attendee(who, meeting, surroundings)
  }

  /** How the meeting ended for them, if it has. */
  get ended(): string | undefined {
    return this.#ended
  }

  get view(): { readonly epoch: number; readonly safetyCode: string; readonly roster: string } {
    const { epoch, safetyCode, members } = this.#meeting.view
    const roster = members.map(({ identity }) => identity).sort()
    return { epoch: Number(epoch), safetyCode, roster: roster.join() }
  }

  async leave(): Promise<void> {
    await this.#meeting.leave()
    this.wire.close()
  }
}

/** A transport whose every request is watched, and may meet trouble. */
function watched(
  transport: DeliveryTransport,
  who: string,
  { observations, wire, trouble }: Surroundings,
): DeliveryTransport {
  return {
    start: (events) => transport.start(events),
    close: () => transport.close(),
    request: (name, request) => {
      const send = () => transport.request(name, request)
      const troubled = (): Promise<ReplyTo<typeof name>> => {
        const now = trouble()
        return now === undefined ? send() : now(wire, name, send)
      }
      return observations.asked(who, name, request, troubled)
    },
  }
}
