import type { Conversation } from './conversation.ts'
import type { LocalSource } from './localSource.ts'
import { Notice } from './notice.tsx'
import type { Playback } from './playback.ts'
import { useStore } from './store.ts'

interface NoticesProps {
  readonly conversation: Conversation
  readonly playback: Playback
}

/** What does not work now, and what the user can do about it. */
export function Notices({ conversation, playback }: NoticesProps) {
  const online = useStore(conversation.online)
  const blocked = useStore(playback.blocked)
  const { members } = useStore(conversation.view)
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
      <MediaNotice conversation={conversation} />
      <DeviceNotice source={conversation.camera} />
      <DeviceNotice source={conversation.microphone} />
      {members.length === 1 && (
        <p class="hint">You are the only one here. Send the link to whom you want to meet.</p>
      )}
    </div>
  )
}

function MediaNotice({ conversation }: { readonly conversation: Conversation }) {
  const media = useStore(conversation.media)
  if (media.kind !== 'failed') return null
  return (
    <Notice error={media.error}>
      {media.retrying ? (
        <p>Trying again…</p>
      ) : (
        <button type="button" class="button" onClick={() => void conversation.connectMedia()}>
          Try again
        </button>
      )}
    </Notice>
  )
}

function DeviceNotice({ source }: { readonly source: LocalSource }) {
  const state = useStore(source.state)
  if (state.kind !== 'failed') return null
  return (
    <Notice error={state.error}>
      <button type="button" class="button dismiss" onClick={() => source.dismiss()}>
        Dismiss
      </button>
    </Notice>
  )
}
