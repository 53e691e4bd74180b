import type { ConclaveError } from '@conclave/core'
import { useEffect, useRef, useState } from 'preact/hooks'
import { CallScreen } from './callScreen.tsx'
import type { Conversation, ConversationOptions } from './conversation.ts'
import { type PageAddress, writeAddress } from './pageAddress.ts'
import { shown } from './pageError.ts'
import { StartScreen } from './startScreen.tsx'

type Screen =
  | { readonly kind: 'start'; readonly error?: ConclaveError }
  | { readonly kind: 'joining' }
  | { readonly kind: 'call'; readonly conversation: Conversation }

export interface AppProps {
  readonly address: PageAddress
  readonly join: (options: ConversationOptions) => Promise<Conversation>
}

export function App({ address, join }: AppProps) {
  const [screen, setScreen] = useState<Screen>({ kind: 'start' })
  const [name, setName] = useState(address.name)
  const [meeting, setMeeting] = useState(address.meeting)
  // What a later attempt has replaced must not change the screen any more.
  const attempt = useRef(0)

  useEffect(() => {
    document.title =
      screen.kind === 'call' ? `${screen.conversation.meetingId} · Conclave` : 'Conclave'
  }, [screen])

  const start = async () => {
    const own = ++attempt.current
    const isCurrent = () => attempt.current === own
    const { authenticate, token } = address
    writeAddress({ meeting, name, authenticate })
    setScreen({ kind: 'joining' })
    try {
      const conversation = await join({ name, meetingId: meeting, token, authenticate })
      if (!isCurrent()) {
        await conversation.leave()
        return
      }
      conversation.over.subscribe((why) => {
        if (isCurrent()) setScreen(why == null ? { kind: 'start' } : { kind: 'start', error: why })
      })
      setScreen({ kind: 'call', conversation })
    } catch (error) {
      if (isCurrent()) setScreen({ kind: 'start', error: shown(error) })
    }
  }

  const cancel = () => {
    attempt.current++
    setScreen({ kind: 'start' })
  }

  if (screen.kind === 'call') {
    return <CallScreen key={screen.conversation} conversation={screen.conversation} />
  }
  return (
    <StartScreen
      name={name}
      meeting={meeting}
      joining={screen.kind === 'joining'}
      error={screen.kind === 'start' ? screen.error : undefined}
      onName={setName}
      onMeeting={setMeeting}
      onJoin={() => void start()}
      onCancel={cancel}
    />
  )
}
