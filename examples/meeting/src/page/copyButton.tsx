import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

interface CopyButtonProps {
  readonly label: string
  /** Names the text where the user has to copy it by hand. */
  readonly what: string
  readonly text: () => string | Promise<string>
  readonly class?: string
  readonly children?: ComponentChildren
}

/** Puts a text on the clipboard, and says so for a moment. */
export function CopyButton({ label, what, text, class: extra, children }: CopyButtonProps) {
  const [copied, setCopied] = useState(false)
  const copy = async () => {
    const wanted = await text()
    try {
      await navigator.clipboard.writeText(wanted)
      setCopied(true)
      setTimeout(() => setCopied(false), 2_000)
    } catch {
      // Without permission the user copies it by hand.
      window.prompt(what, wanted)
    }
  }
  return (
    <button
      type="button"
      class={`button${extra === undefined ? '' : ` ${extra}`}`}
      onClick={() => void copy()}
    >
      {children}
      <span aria-live="polite">{copied ? 'Copied' : label}</span>
    </button>
  )
}
