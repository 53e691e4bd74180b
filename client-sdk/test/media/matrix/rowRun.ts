import type { Page } from 'playwright-core'
import type { Outcome } from './judgement.ts'
import type { Handled, Received, SentStream } from './page/callEnd.ts'
import type { Layer, Row } from './rows.ts'
import type { LayerSwitch } from './stage.ts'
import { pause, within } from './within.ts'

const STRETCHES = 3
const STRETCH_MS = 1_500

const FRAMES_TO_BEGIN = 30
const FRAMES_AFTER_SWITCH = 15
/** More than the ten seconds for which mediasoup is careful after a shortage of bandwidth. */
const SWITCH_PATIENCE_MS = 20_000
const ENERGY_TO_BEGIN = 0.05

/** Of fifty that Opus sends where it does not stop. */
const PACKETS_PER_SECOND_IN_SILENCE = 10

interface RowRunOptions {
  readonly sender: Page
  readonly receiver: Page
  readonly layers: () => LayerSwitch | undefined
  readonly patienceMs: number
}

type Measured = Pick<Outcome, 'framesPerSecond' | 'concealed' | 'freezes' | 'longestGapMs'>

/** A row of the matrix in a call that has just begun. */
export class RowRun {
  readonly #row: Row
  readonly #options: RowRunOptions
  readonly #missing: string[] = []

  constructor(row: Row, options: RowRunOptions) {
    this.#row = row
    this.#options = options
  }

  async outcome(): Promise<Outcome> {
    await this.#publish()
    await this.#must('media that arrives in full', this.#options.patienceMs, () => this.#isFull())
    if (this.#row.dtx) await this.#fallSilent()
    const measured = await this.#measure()
    if (this.#missing.length === 0) {
      this.#checkSent(await this.#sent())
      for (const layer of this.#row.layers ?? []) await this.#switchTo(layer)
      if (this.#row.dtx) await this.#soundAgain()
    }
    const { sender, receiver } = this.#options
    const [sent, received] = [await handledAt(sender), await handledAt(receiver)]
    return {
      ...measured,
      opened: received.opened,
      droppedAtSender: sent.dropped,
      droppedAtReceiver: received.dropped,
      authenticity: received.authenticity,
      missing: this.#missing,
    }
  }

  async #publish(): Promise<void> {
    const { video, dtx = false } = this.#row
    await this.#options.sender.evaluate(
      async ({ video, dtx }) => {
        await window.end.publishTone({ source: 'microphone', dtx })
        if (video !== undefined) await window.end.publishVideo(video)
      },
      { video, dtx },
    )
  }

  async #isFull(): Promise<boolean> {
    const { video, audio } = await this.#received()
    const { video: sent } = this.#row
    const isSeen =
      sent === undefined ||
      (video.framesDecoded >= FRAMES_TO_BEGIN && video.width === sent.size.width)
    return isSeen && audio.energy >= ENERGY_TO_BEGIN
  }

  /**
   * By each measure the calmest of a few stretches: other work on the machine comes and goes, what
   * encryption costs is there all the time.
   */
  async #measure(): Promise<Measured> {
    const begin = await this.#received()
    await this.#takeLongestGap()
    let before = begin
    let framesPerSecond = 0
    let concealed = 1
    for (let stretch = 0; stretch < STRETCHES; stretch++) {
      await pause(STRETCH_MS)
      const after = await this.#received()
      const flow = flowBetween(before, after)
      framesPerSecond = Math.max(framesPerSecond, flow.framesPerSecond)
      concealed = Math.min(concealed, flow.concealed)
      before = after
    }
    return {
      framesPerSecond,
      concealed,
      freezes: before.video.freezes - begin.video.freezes,
      longestGapMs: this.#row.video === undefined ? 0 : await this.#takeLongestGap(),
    }
  }

  /** The row's name must be true of what is measured. */
  #checkSent(streams: readonly SentStream[]): void {
    const { codec, video } = this.#row
    const content = video?.source === 'screen' ? 'screenshare' : ''
    const videos = streams.filter(({ kind }) => kind === 'video')
    const audio = streams.find(({ kind }) => kind === 'audio')
    if (audio?.mimeType !== 'audio/opus') this.#missing.push('no sound in Opus')
    if (video === undefined) return
    const { encodings = [{}] } = video
    for (const [index, { scalabilityMode }] of encodings.entries()) {
      const stream = videos[index]
      if (stream === undefined || stream.width === 0) this.#missing.push(`no stream ${index}`)
      else if (stream.mimeType !== `video/${codec}`)
        this.#missing.push(`a stream in ${stream.mimeType}`)
      else if (stream.contentType !== content)
        this.#missing.push(`a stream of ${stream.contentType}`)
      else if (scalabilityMode !== undefined && stream.scalabilityMode !== scalabilityMode) {
        this.#missing.push(`a stream in ${stream.scalabilityMode}`)
      }
    }
  }

  async #switchTo(layer: Layer): Promise<void> {
    const { spatialLayer, temporalLayer, width } = layer
    const forwarded = this.#options.layers()
    await forwarded?.to(layer)
    const name = `layer ${spatialLayer}, ${temporalLayer}`
    let atSwitch: number | undefined
    await this.#must(`${name} that decodes`, SWITCH_PATIENCE_MS, async () => {
      const { video } = await this.#received()
      if (forwarded?.isAt(layer) !== true || video.width !== width) return false
      atSwitch ??= video.framesDecoded
      return video.framesDecoded >= atSwitch + FRAMES_AFTER_SWITCH
    })
  }

  async #fallSilent(): Promise<void> {
    await this.#setSilent(true)
    let before = await this.#packetsSent()
    await this.#must('packets that stop in silence', this.#options.patienceMs, async () => {
      const now = await this.#packetsSent()
      const seconds = (now.atMs - before.atMs) / 1000
      if (seconds < 1) return false
      const perSecond = (now.packets - before.packets) / seconds
      before = now
      return perSecond <= PACKETS_PER_SECOND_IN_SILENCE
    })
  }

  async #packetsSent(): Promise<{ readonly packets: number; readonly atMs: number }> {
    const streams = await this.#sent()
    const packets = streams.reduce((sum, { packetsSent }) => sum + packetsSent, 0)
    return { packets, atMs: performance.now() }
  }

  async #soundAgain(): Promise<void> {
    const { energy } = (await this.#received()).audio
    await this.#setSilent(false)
    await this.#must('sound after silence', SWITCH_PATIENCE_MS, async () => {
      const { audio } = await this.#received()
      return audio.energy >= energy + ENERGY_TO_BEGIN
    })
  }

  async #must(what: string, patienceMs: number, condition: () => Promise<boolean>): Promise<void> {
    if (!(await within(patienceMs, condition))) this.#missing.push(`no ${what}`)
  }

  #setSilent(silent: boolean): Promise<void> {
    return this.#options.sender.evaluate((silent) => window.end.setSilent(silent), silent)
  }

  #sent(): Promise<SentStream[]> {
    return this.#options.sender.evaluate(() => window.end.sent())
  }

  #received(): Promise<Received> {
    return this.#options.receiver.evaluate(() => window.end.received())
  }

  #takeLongestGap(): Promise<number> {
    return this.#options.receiver.evaluate(() => window.end.takeLongestGap())
  }
}

function flowBetween(
  before: Received,
  after: Received,
): Pick<Outcome, 'framesPerSecond' | 'concealed'> {
  const frames = after.video.framesDecoded - before.video.framesDecoded
  const samples = after.audio.samples - before.audio.samples
  const concealed = after.audio.concealed - before.audio.concealed
  return {
    framesPerSecond: (1000 * frames) / (after.atMs - before.atMs),
    concealed: samples === 0 ? 1 : concealed / samples,
  }
}

function handledAt(end: Page): Promise<Handled> {
  return end.evaluate(() => window.end.handled())
}
