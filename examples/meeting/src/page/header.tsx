import { useState } from 'preact/hooks'
import type { Conversation } from './conversation.ts'
import { LinkIcon, LockIcon, Logo } from './icons.tsx'
import { inviteLink } from './pageAddress.ts'
import { useStore } from './store.ts'

export function Header({ conversation }: { readonly conversation: Conversation }) {
  const { epoch } = useStore(conversation.view)
  const { meetingId } = conversation
  return (
    <header class="header">
      <Logo />
      <h1 class="meeting-name" data-testid="meeting-name">
        {meetingId}
      </h1>
      <span
        class="badge"
        title="Frames are encrypted end to end; every join and leave makes new keys"
      >
        <LockIcon />
        Epoch <b data-testid="epoch">{String(epoch)}</b>
      </span>
      <InviteButton meetingId={meetingId} />
    </header>
  )
}

function InviteButton({ meetingId }: { readonly meetingId: string }) {
  const [label, setLabel] = useState('Copy link')
  const copy = async () => {
    const link = inviteLink(meetingId)
    try {
      await navigator.clipboard.writeText(link)
      setLabel('Copied')
      setTimeout(() => setLabel('Copy link'), 2_000)
    } catch {
      // Without permission the user copies it by hand.
      window.prompt('Link to this meeting', link)
    }
  }
  return (
    <button type="button" class="button invite" onClick={() => void copy()}>
      <LinkIcon />
      <span aria-live="polite">{label}</span>
    </button>
  )
}
