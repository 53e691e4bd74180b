import type { Clock } from '@conclave/core'
import type { MediaProtection } from './call/index.ts'
import { type MeetingDiagnostics, mostTroubled, type ReceiverDiagnostics } from './diagnostics.ts'
import type { IsolatedEmitter } from './isolatedEmitter.ts'
import {
  type FrameCryptorStats,
  MediaError,
  type MediaVerdict,
  type Notice,
  newestOfEach,
  type ReceivedStats,
  ReceptionWatch,
  type WatchedTrack,
} from './media/index.ts'
import type { MeetingEvents } from './meetingEvents.ts'
import type { MeetingKeys } from './session/meetingKeys.ts'
import type { MeetingRoster } from './session/meetingRoster.ts'

export interface MeetingMediaOptions {
  readonly clock: Clock
  readonly keys: Pick<MeetingKeys, 'cryptor' | 'madeCryptor'>
  readonly roster: Pick<MeetingRoster, 'current' | 'safetyCode'>
  readonly events: Pick<IsolatedEmitter<MeetingEvents>, 'emit'>
}

/** A meeting's frame encryption, and what becomes of everybody's frames. */
export class MeetingMedia {
  readonly #options: MeetingMediaOptions
  readonly #watch: ReceptionWatch

  constructor(options: MeetingMediaOptions) {
    this.#options = options
    this.#watch = new ReceptionWatch({
      clock: options.clock,
      cryptor: { stats: () => this.#stats() },
      onNotice: (track, notice) => this.#tell(track, notice),
      onVerdict: (track, verdict) => this.#tellVerdict(track, verdict),
    })
  }

  /**
   * What attaches transforms, at once when it is asked to.
   * @throws MediaError, SessionError `session-ended`
   */
  async protection(): Promise<
    Pick<MediaProtection, 'connectionSettings' | 'protect' | 'unprotect'>
  > {
    const cryptor = await this.#options.keys.cryptor()
    return {
      connectionSettings: cryptor.connectionSettings ?? {},
      protect: (sender, options) => cryptor.protect(sender, options),
      unprotect: async (receiver, expected) => {
        await cryptor.unprotect(receiver, expected)
        this.#watch.start()
      },
    }
  }

  /** Whether the sender has paused what this receiver gets. */
  setPaused(receiver: RTCRtpReceiver, paused: boolean): void {
    this.#watch.setPaused(receiver, paused)
  }

  async diagnostics(): Promise<MeetingDiagnostics> {
    const { keys, roster } = this.#options
    let worker: MeetingDiagnostics['worker'] = keys.madeCryptor === undefined ? 'idle' : 'running'
    const { senders, receivers } = await this.#stats().catch((error: unknown) => {
      if (!(error instanceof MediaError)) throw error
      worker = error.code
      return nothing
    })
    const { current, safetyCode } = roster
    return {
      epoch: Number(safetyCode?.epoch ?? 0n),
      leaf: current.self?.leaf ?? -1,
      members: current.participants.length,
      worker,
      senders: senders.map((sender) => ({ ...sender, epoch: numberOf(sender.epoch) })),
      ...mostTroubled(newestOfEach(receivers).map((each) => this.#describe(each))),
    }
  }

  close(): void {
    this.#watch.close()
  }

  async #stats(): Promise<FrameCryptorStats> {
    return (await this.#options.keys.madeCryptor?.stats()) ?? nothing
  }

  #describe(stats: ReceivedStats): ReceiverDiagnostics {
    const { clock, roster } = this.#options
    const { leaf, source, epoch, opened, waiting, dropped, authenticity, receiver } = stats
    const now = clock.now()
    const { state, since } = this.#watch.receptionOf(receiver) ?? { state: 'no-frames', since: now }
    return {
      leaf,
      identity: roster.current.at(leaf)?.identity,
      source,
      state,
      forMs: now - since,
      epoch: numberOf(epoch),
      opened,
      waiting,
      dropped,
      authenticity,
    }
  }

  #tellVerdict({ leaf, source, epoch }: WatchedTrack, verdict: MediaVerdict): void {
    const { roster, events } = this.#options
    const participant = roster.current.at(leaf)
    if (participant === undefined) return
    events.emit('mediaAuthenticity', { participant, source, leaf, epoch, verdict })
  }

  #tell({ leaf, source, epoch }: WatchedTrack, notice: Notice): void {
    const { roster, events } = this.#options
    const participant = roster.current.at(leaf)
    // Of somebody who has left nothing is expected any more.
    if (participant === undefined) return
    const track = { participant, source, leaf, epoch }
    if (notice.type === 'recovered') events.emit('mediaRecovered', track)
    else events.emit('mediaDegraded', { ...track, state: notice.state, since: notice.since })
  }
}

const nothing: FrameCryptorStats = { senders: [], receivers: [] }

/** JSON has no bigint; epochs count commits. */
function numberOf(epoch: bigint | undefined): number | undefined {
  return epoch === undefined ? undefined : Number(epoch)
}
