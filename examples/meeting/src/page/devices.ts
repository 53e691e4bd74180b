import { PageError } from './pageError.ts'

export type DeviceSource = 'camera' | 'microphone'

const constraints = {
  camera: { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 24, max: 30 } },
  microphone: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
} satisfies Record<DeviceSource, MediaTrackConstraints>

/** @throws PageError `device-*`, `context-insecure` */
export async function openDevice(source: DeviceSource): Promise<MediaStreamTrack> {
  const asked =
    source === 'camera' ? { video: constraints.camera } : { audio: constraints.microphone }
  const [track] = (await ask(asked, source)).getTracks()
  if (track === undefined) throw new PageError('device-missing', `there is no ${source}`)
  return track
}

/** Camera and microphone with one question to the user; what is missing is left out. */
export async function openBoth(): Promise<Record<DeviceSource, MediaStreamTrack | PageError>> {
  try {
    const { camera, microphone } = constraints
    const stream = await ask({ video: camera, audio: microphone }, 'camera and microphone')
    const [video] = stream.getVideoTracks()
    const [audio] = stream.getAudioTracks()
    if (video !== undefined && audio !== undefined) return { camera: video, microphone: audio }
  } catch {
    // One of them may still be there.
  }
  const one = (source: DeviceSource) => openDevice(source).catch((error: PageError) => error)
  return { camera: await one('camera'), microphone: await one('microphone') }
}

async function ask(asked: MediaStreamConstraints, what: string): Promise<MediaStream> {
  if (!('mediaDevices' in navigator)) {
    throw new PageError('context-insecure', `browsers give this page no ${what}`, {
      remedy: 'Open it over https:, or on this machine.',
    })
  }
  try {
    return await navigator.mediaDevices.getUserMedia(asked)
  } catch (cause) {
    throw deviceError(cause, what)
  }
}

function deviceError(cause: unknown, what: string): PageError {
  switch (cause instanceof DOMException ? cause.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return new PageError('device-denied', `the ${what} is not allowed`, {
        cause,
        remedy: "Allow it in the browser's address bar, then turn it on here.",
      })
    case 'NotFoundError':
    case 'OverconstrainedError':
      return new PageError('device-missing', `there is no ${what}`, {
        cause,
        remedy: 'Connect one, then turn it on here.',
      })
    default:
      return new PageError('device-busy', `the ${what} cannot be used`, {
        cause,
        remedy: 'Close other programs that use it, then turn it on here.',
      })
  }
}
