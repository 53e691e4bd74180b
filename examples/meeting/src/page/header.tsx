import type { Conversation } from './conversation.ts'
import { CopyButton } from './copyButton.tsx'
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
      <CopyButton
        label="Copy link"
        what="Link to this meeting"
        class="invite"
        text={() => inviteLink(meetingId)}
      >
        <LinkIcon />
      </CopyButton>
    </header>
  )
}
