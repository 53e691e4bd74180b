import type { ConclaveError } from '@conclave/core'
import type { ComponentChildren } from 'preact'

interface NoticeProps {
  readonly error: ConclaveError
  readonly children?: ComponentChildren
}

/** An error: what happened, what to do about it, and its code. */
export function Notice({ error, children }: NoticeProps) {
  const detail = 'detail' in error && typeof error.detail === 'string' ? error.detail : undefined
  return (
    <div class="notice" role="alert" data-testid="error">
      <p class="notice-message">{sentence(error.message)}</p>
      {error.remedy !== undefined && <p>{sentence(error.remedy)}</p>}
      <p class="notice-code">
        <code data-testid="error-code">{error.code}</code>
        {detail !== undefined && <code data-testid="error-detail">{detail}</code>}
      </p>
      {children}
    </div>
  )
}

function sentence(text: string): string {
  const begun = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`
}
