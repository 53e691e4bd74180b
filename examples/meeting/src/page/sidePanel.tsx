import type { Conversation } from './conversation.ts'
import { CopyButton } from './copyButton.tsx'
import { MicrophoneOffIcon } from './icons.tsx'
import { useStore } from './store.ts'

export function SidePanel({ conversation }: { readonly conversation: Conversation }) {
  return (
    <aside class="side">
      <Participants conversation={conversation} />
      <SafetyCode conversation={conversation} />
      <ActivityList conversation={conversation} />
      <Report conversation={conversation} />
    </aside>
  )
}

function Participants({ conversation }: { readonly conversation: Conversation }) {
  const { members } = useStore(conversation.view)
  const remote = useStore(conversation.remote.sources)
  const own = useStore(conversation.microphone.state)
  return (
    <section class="panel">
      <h2>
        Participants <span class="count">{members.length}</span>
      </h2>
      <ul class="participants">
        {members.map(({ leaf, identity, self }) => {
          const sound = remote.get(leaf)?.microphone
          const muted = self ? own.kind !== 'on' : sound === undefined || sound.paused
          return (
            <li key={leaf} data-testid="participant" data-identity={identity}>
              <span class="participant-name">{identity}</span>
              {self && <span class="quiet">you</span>}
              {muted && <MicrophoneOffIcon />}
            </li>
          )
        })}
      </ul>
    </section>
  )
}

function SafetyCode({ conversation }: { readonly conversation: Conversation }) {
  const { safetyCode } = useStore(conversation.view)
  return (
    <section class="panel">
      <h2>Safety code</h2>
      <p class="safety-code" data-testid="safety-code">
        {safetyCode}
      </p>
      <p class="footnote">
        Read it to each other. Everyone who sees these digits has the same keys and the same list of
        participants.
      </p>
    </section>
  )
}

function ActivityList({ conversation }: { readonly conversation: Conversation }) {
  const entries = useStore(conversation.activity.entries)
  return (
    <section class="panel activity">
      <h2>Activity</h2>
      <ol aria-live="polite">
        {entries.map(({ number, at, text }) => (
          <li key={number}>
            <time dateTime={at.toISOString()}>
              {at.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })}
            </time>
            <span>{text}</span>
          </li>
        ))}
      </ol>
    </section>
  )
}

function Report({ conversation }: { readonly conversation: Conversation }) {
  return (
    <section class="panel">
      <h2>Something wrong?</h2>
      <CopyButton
        label="Copy diagnostics"
        what="Diagnostics of this meeting"
        text={() => conversation.describeMedia()}
      />
      <p class="footnote">
        A line for a bug report: what is sent and received, without names, keys or content.
      </p>
    </section>
  )
}
