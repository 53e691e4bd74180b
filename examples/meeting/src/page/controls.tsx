import { useState } from 'preact/hooks'
import type { Conversation } from './conversation.ts'
import {
  CameraIcon,
  CameraOffIcon,
  LeaveIcon,
  MicrophoneIcon,
  MicrophoneOffIcon,
} from './icons.tsx'
import type { LocalSource } from './localSource.ts'
import { useStore } from './store.ts'

export function Controls({ conversation }: { readonly conversation: Conversation }) {
  const [leaving, setLeaving] = useState(false)
  const leave = () => {
    setLeaving(true)
    void conversation.leave()
  }
  return (
    <footer class="controls">
      <Toggle
        source={conversation.microphone}
        on={<MicrophoneIcon />}
        off={<MicrophoneOffIcon />}
      />
      <Toggle source={conversation.camera} on={<CameraIcon />} off={<CameraOffIcon />} />
      <button
        type="button"
        class="button round leave"
        data-testid="leave"
        disabled={leaving}
        onClick={leave}
      >
        <LeaveIcon />
        <span>Leave</span>
      </button>
    </footer>
  )
}

interface ToggleProps {
  readonly source: LocalSource
  readonly on: preact.JSX.Element
  readonly off: preact.JSX.Element
}

function Toggle({ source, on, off }: ToggleProps) {
  const { kind } = useStore(source.state)
  const isOn = kind === 'on'
  return (
    <button
      type="button"
      class={`button round${isOn ? '' : ' is-off'}`}
      data-testid={`toggle-${source.source}`}
      aria-pressed={isOn}
      aria-label={`${source.source} ${isOn ? 'on' : 'off'}`}
      title={`Turn the ${source.source} ${isOn ? 'off' : 'on'}`}
      disabled={kind === 'starting'}
      onClick={() => void (isOn ? source.turnOff() : source.turnOn())}
    >
      {isOn ? on : off}
    </button>
  )
}
