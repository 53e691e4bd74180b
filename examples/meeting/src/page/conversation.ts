import {
  describeHistory,
  type EpochView,
  formatDiagnostics,
  type HistoryEvent,
  type JoinOptions,
  SecureMeeting,
} from '@conclave/client'
import type { Call } from '@conclave/client/call'
import type { ConclaveError } from '@conclave/core'
import { accessToken } from './accessToken.ts'
import { Activity } from './activity.ts'
import { openBoth } from './devices.ts'
import { LocalSource } from './localSource.ts'
import { MediaTrouble } from './mediaTrouble.ts'
import { PageError, shown } from './pageError.ts'
import { RemoteMedia } from './remoteMedia.ts'
import { SenderVerdicts } from './senderVerdicts.ts'
import { Store } from './store.ts'

export interface ConversationOptions {
  readonly name: string
  readonly meetingId: string
  /** The access token of the app's backend; a development token where there is none. */
  readonly token?: string | undefined
  /** Whether what we send is signed. */
  readonly authenticate: boolean
  readonly createFrameCryptor?: JoinOptions['createFrameCryptor']
}

export type MediaState =
  | { readonly kind: 'connecting' | 'connected' }
  /** Connecting goes on by itself where `retrying`. */
  | { readonly kind: 'failed'; readonly error: ConclaveError; readonly retrying: boolean }

/** A meeting with camera and microphone, as the page shows it. */
export class Conversation {
  readonly meetingId: string
  readonly view: Store<EpochView>
  /** Whether the keyserver can be reached. */
  readonly online = new Store(true)
  readonly media = new Store<MediaState>({ kind: 'connecting' })
  readonly camera = new LocalSource('camera')
  readonly microphone = new LocalSource('microphone')
  readonly remote = new RemoteMedia()
  readonly trouble = new MediaTrouble()
  readonly senders = new SenderVerdicts()
  readonly activity = new Activity()
  /** Set once: why it is over, or null where we have left. */
  readonly over = new Store<ConclaveError | null | undefined>(undefined)
  readonly #meeting: SecureMeeting

  private constructor(meetingId: string, meeting: SecureMeeting) {
    this.meetingId = meetingId
    this.#meeting = meeting
    this.view = new Store(meeting.view)
    this.activity.add('You joined')
    meeting.on('epochChanged', ({ committer, ...view }) => {
      this.view.set(view)
      const by =
        committer === undefined ? '' : `, by ${committer.self ? 'you' : committer.identity}`
      this.activity.add(`New keys: epoch ${view.epoch}${by}`)
    })
    meeting.on('participantJoined', (who, arrival) => this.#tell({ what: 'joined', who, arrival }))
    meeting.on('participantLeft', (who, departure) => {
      this.trouble.forget(who.leaf)
      this.senders.forget(who.leaf)
      this.#tell({ what: 'left', who, departure })
    })
    meeting.on('mediaDegraded', (degradation) => this.trouble.degraded(degradation))
    meeting.on('mediaRecovered', (track) => this.trouble.over(track))
    meeting.on('reinitialised', () => {
      this.trouble.clear()
      this.senders.clear()
    })
    meeting.on('mediaAuthenticity', (authenticity) => this.senders.tell(authenticity))
    meeting.on('connectionChanged', (connected) => this.online.set(connected))
    meeting.on('problem', ({ code, message }) => this.activity.add(`${message} (${code})`))
    meeting.on('ended', (reason, error) => {
      this.camera.close()
      this.microphone.close()
      const removed = new PageError('removed', 'you were removed from the meeting')
      this.over.set(reason === 'left' ? null : (error ?? removed))
    })
  }

  /**
   * Joins with whatever of camera and microphone there is.
   *
   * @throws PageError `token-*`, and what `SecureMeeting.join` throws
   */
  static async join(options: ConversationOptions): Promise<Conversation> {
    const { name, meetingId, token, authenticate, createFrameCryptor } = options
    const devices = openBoth()
    const request = { identity: name, meeting: meetingId }
    try {
      // A missing token is an error of the page's own, not of the connection that wants one.
      await accessToken(token, request)
      const meeting = await SecureMeeting.join({
        keyserver: new URL('/keyserver', location.href).href,
        meetingId,
        token: () => accessToken(token, request),
        identity: { id: name },
        trust: { policy: 'open' },
        authenticateMedia: authenticate,
        ...(createFrameCryptor === undefined ? {} : { createFrameCryptor }),
      })
      const conversation = new Conversation(meetingId, meeting)
      void conversation.#start(devices)
      return conversation
    } catch (error) {
      void devices.then(({ camera, microphone }) => {
        for (const opened of [camera, microphone]) {
          if (opened instanceof MediaStreamTrack) opened.stop()
        }
      })
      throw error
    }
  }

  /** The others rotate their keys; ours are wiped. */
  async leave(): Promise<void> {
    await this.#meeting.leave()
  }

  /** One line for a bug report, with nothing secret in it. */
  async describeMedia(): Promise<string> {
    return formatDiagnostics(await this.#meeting.getDiagnostics())
  }

  /** Connects to the SFU, and again whenever the connection is lost. */
  async connectMedia(): Promise<void> {
    for (let attempt = 0; this.over.value === undefined; attempt++) {
      if (attempt === 0) this.media.set({ kind: 'connecting' })
      try {
        this.#use(await this.#meeting.connectMedia({ sfu: new URL('/sfu', location.href).href }))
        return
      } catch (cause) {
        const error = shown(cause)
        const retrying = error.code === 'sfu-unreachable' || error.code === 'token-unavailable'
        this.media.set({ kind: 'failed', error, retrying })
        if (!retrying) return
        await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** attempt, 10_000)))
      }
    }
  }

  async #start(devices: ReturnType<typeof openBoth>): Promise<void> {
    const connected = this.connectMedia()
    const { camera, microphone } = await devices
    await Promise.all([connected, this.camera.begin(camera), this.microphone.begin(microphone)])
  }

  #tell(event: HistoryEvent): void {
    this.activity.add(describeHistory(event))
  }

  #use(call: Call): void {
    this.media.set({ kind: 'connected' })
    this.remote.connect(call)
    call.on('trackEnded', ({ participant: { leaf }, source }) => {
      this.trouble.over({ leaf, source })
    })
    call.on('publicationEnded', ({ source, error }) => {
      if (source === 'camera') this.camera.publicationEnded(error)
      if (source === 'microphone') this.microphone.publicationEnded(error)
    })
    call.on('closed', ({ code }) => {
      if (code !== 'left') void this.connectMedia()
    })
    void this.camera.connect(call)
    void this.microphone.connect(call)
  }
}
