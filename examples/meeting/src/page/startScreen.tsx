import type { ConclaveError } from '@conclave/core'
import { Logo } from './icons.tsx'
import { Notice } from './notice.tsx'

interface StartScreenProps {
  readonly name: string
  readonly meeting: string
  readonly joining: boolean
  readonly error: ConclaveError | undefined
  readonly onName: (name: string) => void
  readonly onMeeting: (meeting: string) => void
  readonly onJoin: () => void
  readonly onCancel: () => void
}

export function StartScreen(props: StartScreenProps) {
  const { name, meeting, joining, error, onName, onMeeting, onJoin, onCancel } = props
  return (
    <main class="start">
      <form
        class="start-card"
        onSubmit={(event) => {
          event.preventDefault()
          if (!joining) onJoin()
        }}
      >
        <h1 class="brand">
          <Logo />
          Conclave
        </h1>
        <p class="quiet">A meeting that only those inside can open.</p>
        {error !== undefined && <Notice error={error} />}
        <label class="field">
          Your name
          <input
            data-testid="name"
            value={name}
            required
            maxLength={64}
            autocomplete="name"
            autofocus={name === ''}
            disabled={joining}
            onInput={(event) => onName(event.currentTarget.value)}
          />
        </label>
        <label class="field">
          Meeting
          <input
            data-testid="meeting"
            value={meeting}
            required
            maxLength={64}
            autocomplete="off"
            spellcheck={false}
            placeholder="standup"
            disabled={joining}
            onInput={(event) => onMeeting(event.currentTarget.value)}
          />
        </label>
        {joining ? (
          <div class="joining" role="status">
            <span class="spinner" />
            <span>Waiting to be let in…</span>
            <button type="button" class="button" onClick={onCancel}>
              Cancel
            </button>
          </div>
        ) : (
          <button type="submit" class="button primary wide" data-testid="join">
            Join
          </button>
        )}
        <p class="footnote">
          Sound and pictures are encrypted in this browser. The servers that carry them have no key.
        </p>
      </form>
    </main>
  )
}
