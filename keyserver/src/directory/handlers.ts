import type { AccessClaims } from '@conclave/core/access'
import type { PackedReplyTo, RequestOf } from '@conclave/core/delivery'

/** Requests that need no meeting: the token's identity is all that they are about. */
export type DirectoryRequestName = 'publish' | 'stock' | 'claim' | 'mailbox' | 'collect'

/** What the directory does for a connection; `claims` are those of its token. */
export type DirectoryHandlers = {
  readonly [N in DirectoryRequestName]: (
    claims: AccessClaims,
    request: RequestOf<N>,
  ) => Promise<PackedReplyTo<N>>
}
