import type { ConclaveError } from '@conclave/core'
import type { ComponentChildren } from 'preact'

interface NoticeProps {
  readonly error: ConclaveError
  readonly children?: ComponentChildren
}

/** An error: what happened, what to do about it, and its code. */
export function Notice({ error, children }: NoticeProps) {
  const detail = 'detail' in error && typeof error.detail === 'string' ? error.detail : undefined
  const remedy = error.remedy ?? remedyFor(detail)
  return (
    <div class="notice" role="alert" data-testid="error">
      <p class="notice-message">{sentence(error.message)}</p>
      {remedy !== undefined && <p>{sentence(remedy)}</p>}
      <p class="notice-code">
        <code data-testid="error-code">{error.code}</code>
        {detail !== undefined && <code data-testid="error-detail">{detail}</code>}
      </p>
      {children}
    </div>
  )
}

/** Servers say why they refuse; what to do about it depends on how this app hands out tokens. */
function remedyFor(detail: string | undefined): string | undefined {
  return detail?.startsWith('token-') ? 'Open the link that your app gave you once more' : undefined
}

function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`
}
