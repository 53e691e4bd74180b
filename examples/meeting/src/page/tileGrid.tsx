import type { Conversation } from './conversation.ts'
import { withoutPaused } from './mediaTrouble.ts'
import type { Playback } from './playback.ts'
import { RemoteAudio } from './remoteAudio.tsx'
import type { RemoteSources } from './remoteMedia.ts'
import { senderMark } from './senderVerdicts.ts'
import { useStore } from './store.ts'
import { Tile } from './tile.tsx'
import { TileTrouble } from './tileTrouble.tsx'

interface TileGridProps {
  readonly conversation: Conversation
  readonly playback: Playback
}

/** A tile for everybody in the meeting, as its roster has them. */
export function TileGrid({ conversation, playback }: TileGridProps) {
  const { members } = useStore(conversation.view)
  const remote = useStore(conversation.remote.sources)
  const troubles = useStore(conversation.trouble.byLeaf)
  const senders = useStore(conversation.senders.byLeaf)
  const camera = useStore(conversation.camera.state)
  const microphone = useStore(conversation.microphone.state)
  const others = members.filter(({ self }) => !self)
  const own = members.find(({ self }) => self)
  return (
    <div class="tiles" style={gridFor(members.length)}>
      {others.map((participant) => {
        const sources = remote.get(participant.leaf)
        const sound = sources?.microphone
        return (
          <Tile
            key={`${participant.leaf} ${participant.identity}`}
            participant={participant}
            video={sources?.camera?.paused === false ? sources.camera.track : undefined}
            muted={sound === undefined || sound.paused}
            failure={sources?.failure}
            sender={senderMark(senders.get(participant.leaf), receivedOf(sources))}
          >
            {sound !== undefined && <RemoteAudio track={sound.track} playback={playback} />}
            <TileTrouble
              troubles={withoutPaused(troubles.get(participant.leaf) ?? {}, sources ?? {})}
            />
          </Tile>
        )
      })}
      {own !== undefined && (
        <Tile
          key="self"
          participant={own}
          video={camera.kind === 'on' ? camera.track : undefined}
          muted={microphone.kind !== 'on'}
        />
      )}
    </div>
  )
}

/** What of somebody is received now, paused or not. */
function receivedOf(sources: RemoteSources | undefined): ('camera' | 'microphone')[] {
  return (['camera', 'microphone'] as const).filter((source) => sources?.[source] !== undefined)
}

/** As square a grid as the number allows. */
function gridFor(tiles: number): Record<string, number> {
  const columns = Math.ceil(Math.sqrt(tiles))
  return { '--columns': columns, '--rows': Math.ceil(tiles / columns) }
}
