import { useEffect } from 'preact/hooks'
import type { Playback } from './playback.ts'

interface RemoteAudioProps {
  readonly track: MediaStreamTrack
  readonly playback: Playback
}

/** Plays a track for as long as it is shown; there is nothing to see of it. */
export function RemoteAudio({ track, playback }: RemoteAudioProps) {
  useEffect(() => {
    const element = new Audio()
    element.srcObject = new MediaStream([track])
    playback.play(element)
    return () => playback.stop(element)
  }, [track, playback])
  return null
}
