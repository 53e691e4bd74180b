import { useMemo } from 'preact/hooks'
import { Controls } from './controls.tsx'
import type { Conversation } from './conversation.ts'
import { Header } from './header.tsx'
import { Notices } from './notices.tsx'
import { Playback } from './playback.ts'
import { SidePanel } from './sidePanel.tsx'
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
