import type { ConclaveError } from '@conclave/core'
import type { MeetingEffect } from './meetingEffect.ts'

/** What an entry of the log did. */
export type EntryOutcome =
  | { readonly kind: 'proposal' }
  /** A proposal that counts for nothing; the keyserver should not have let it through. */
  | { readonly kind: 'ignored'; readonly error: ConclaveError }
  /** A new epoch has begun. */
  | { readonly kind: 'epoch'; readonly effect: MeetingEffect }
  /** A commit has removed us. */
  | { readonly kind: 'removed'; readonly effect: MeetingEffect }
  /** A commit that does not apply here. The group stays as it was, since it may be undone yet. */
  | { readonly kind: 'failed'; readonly error: ConclaveError }
  /** The commit that failed is undone. */
  | { readonly kind: 'voided' }
  /** An entry that does not apply here: from here on we cannot follow. */
  | { readonly kind: 'inapplicable'; readonly error: ConclaveError }
  /** The log takes back what we have applied. */
  | { readonly kind: 'contradicted'; readonly error: ConclaveError }
