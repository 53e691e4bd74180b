import type { MediaSource } from '@conclave/core/mediaSignalling'

export interface PictureSize {
  readonly width: number
  readonly height: number
}

const FRAMES_PER_SECOND = 30

/** The fake camera, or a canvas that stands for a screen that is being worked on. */
export async function videoTrack(
  source: MediaSource,
  { width, height }: PictureSize,
): Promise<MediaStreamTrack> {
  if (source === 'screen') return screenTrack({ width, height })
  const media = await navigator.mediaDevices.getUserMedia({
    video: { width, height, frameRate: FRAMES_PER_SECOND },
  })
  return media.getVideoTracks()[0] as MediaStreamTrack
}

/** Lines of text that scroll; `detail` makes the browser encode it as screen content. */
function screenTrack({ width, height }: PictureSize): MediaStreamTrack {
  const canvas = document.createElement('canvas')
  Object.assign(canvas, { width, height })
  const context = canvas.getContext('2d') as CanvasRenderingContext2D
  let drawn = 0
  setInterval(() => {
    drawn++
    context.fillStyle = 'white'
    context.fillRect(0, 0, width, height)
    context.fillStyle = 'black'
    for (let y = 0; y < height; y += 16) {
      context.fillText(`line ${drawn + y} of what somebody writes and others read`, 8, y)
    }
  }, 1000 / FRAMES_PER_SECOND)
  const track = canvas.captureStream(FRAMES_PER_SECOND).getVideoTracks()[0] as MediaStreamTrack
  track.contentHint = 'detail'
  return track
}

/** A tone that can fall silent. */
export class Tone {
  readonly #gain: GainNode
  readonly track: MediaStreamTrack

  constructor() {
    const context = new AudioContext()
    const oscillator = context.createOscillator()
    this.#gain = context.createGain()
    const destination = context.createMediaStreamDestination()
    oscillator.connect(this.#gain).connect(destination)
    oscillator.start()
    this.track = destination.stream.getAudioTracks()[0] as MediaStreamTrack
  }

  set silent(silent: boolean) {
    this.#gain.gain.value = silent ? 0 : 1
  }
}
