import type { Participant } from '@conclave/client'
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { ForgedIcon, GenuineIcon, MicrophoneOffIcon } from './icons.tsx'
import type { SenderMark } from './senderVerdicts.ts'

interface TileProps {
  readonly participant: Participant
  /** The camera's track; undefined while it is off. */
  readonly video: MediaStreamTrack | undefined
  readonly muted: boolean
  readonly failure?: string | undefined
  /** Whether what is seen and heard was sent by this participant, where it is known. */
  readonly sender?: SenderMark | undefined
  readonly children?: ComponentChildren
}

/** One participant: their picture, or their initials where there is none. */
export function Tile({ participant, video, muted, failure, sender, children }: TileProps) {
  const { identity, self } = participant
  return (
    <section
      class="tile"
      data-testid="tile"
      data-identity={identity}
      data-self={String(self)}
      aria-label={identity}
    >
      <span class="avatar" style={{ '--hue': hueOf(identity) }} aria-hidden="true">
        {initialsOf(identity)}
      </span>
      {video !== undefined && <TileVideo key={video.id} track={video} mirrored={self} />}
      <span class="tile-label">
        {muted && (
          <span role="img" aria-label="microphone off">
            <MicrophoneOffIcon />
          </span>
        )}
        <span class="tile-name">{identity}</span>
        {sender === 'authenticated' && (
          <span role="img" aria-label="picture and sound are theirs" class="sender-genuine">
            <GenuineIcon />
          </span>
        )}
        {sender === 'forged' && (
          <span role="img" aria-label="somebody else sends as them" class="sender-forged">
            <ForgedIcon />
          </span>
        )}
        {self && <span class="quiet">you</span>}
      </span>
      {failure !== undefined && <code class="tile-failure">{failure}</code>}
      {children}
    </section>
  )
}

interface TileVideoProps {
  readonly track: MediaStreamTrack
  readonly mirrored: boolean
}

function TileVideo({ track, mirrored }: TileVideoProps) {
  const video = useRef<HTMLVideoElement>(null)
  const [hasPicture, setHasPicture] = useState(false)
  useEffect(() => {
    const element = video.current
    if (element === null) return
    element.srcObject = new MediaStream([track])
    // Muted pictures may always play; what fails here is a track that has gone already.
    element.play().catch(() => {})
    return () => {
      element.srcObject = null
    }
  }, [track])
  return (
    <video
      ref={video}
      class={`tile-video${mirrored ? ' mirrored' : ''}${hasPicture ? ' visible' : ''}`}
      muted
      playsInline
      onLoadedData={() => setHasPicture(true)}
    />
  )
}

function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/)
  const picked = words.length > 1 ? [words[0], words.at(-1)] : [words[0]]
  return picked
    .map((word) => [...(word ?? '')][0] ?? '')
    .join('')
    .toUpperCase()
}

/** A colour of one's own, in degrees. */
function hueOf(name: string): number {
  let hash = 0
  for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360
  return hash
}
