import { useMemo } from 'preact/hooks'
import { Controls } from './controls.tsx'
import type { Conversation } from './conversation.ts'
import { Header } from './header.tsx'
import { Notice } from './notice.tsx'
import { Playback } from './playback.ts'
import { SidePanel } from './sidePanel.tsx'
import { useStore } from './store.ts'
import { TileGrid } from './tileGrid.tsx'

/** The meeting itself. */
export function CallScreen({ conversation }: { readonly conversation: Conversation }) {
  const playback = useMemo(() => new Playback(), [])
  return (
    <div class="call">
      <Header conversation={conversation} />
      <main class="stage">
        <Notices conversation={conversation} playback={playback} />
        <TileGrid conversation={conversation} playback={playback} />
      </main>
      <SidePanel conversation={conversation} />
      <Controls conversation={conversation} />
    </div>
  )
}

interface NoticesProps {
  readonly conversation: Conversation
  readonly playback: Playback
}

function Notices({ conversation, playback }: NoticesProps) {
  const media = useStore(conversation.media)
  const online = useStore(conversation.online)
  const camera = useStore(conversation.camera.state)
  const microphone = useStore(conversation.microphone.state)
  const blocked = useStore(playback.blocked)
  return (
    <div class="notices">
      {blocked && (
        <div class="notice" role="alert">
          <p class="notice-message">The browser holds back sound until you ask for it.</p>
          <button type="button" class="button" onClick={() => playback.resume()}>
            Turn sound on
          </button>
        </div>
      )}
      {!online && (
        <div class="notice" role="status">
          <p class="notice-message">The keyserver cannot be reached. Trying again…</p>
        </div>
      )}
      {media.kind === 'failed' && (
        <Notice error={media.error}>
          {media.retrying ? (
            <p>Trying again…</p>
          ) : (
            <button type="button" class="button" onClick={() => void conversation.connectMedia()}>
              Try again
            </button>
          )}
        </Notice>
      )}
      {camera.kind === 'failed' && <Notice error={camera.error} />}
      {microphone.kind === 'failed' && <Notice error={microphone.error} />}
    </div>
  )
}
