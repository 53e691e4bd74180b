import { ConclaveError } from '@conclave/core'
import type { Packed, Refusal, RefusalCode, RemovalFault } from '@conclave/core/delivery'

/** Rules of ordering, beside those of MLS, that a message can break: a refusal's `detail`. */
export type OrderingErrorCode =
  /** Not the kind of MLSMessage, content or sender that this request takes. */
  | 'message-kind-unexpected'
  /** A founding GroupInfo is of epoch 0, with one leaf and a group_id of 16 bytes. */
  | 'founding-invalid'
  /** A commit's authenticated_data is no CommitEnvelope, or claims to have seen the future. */
  | 'commit-envelope-invalid'
  | RemovalFault
  /** A KeyPackage whose validity is longer than a joiner can wait. */
  | 'key-package-lifetime-too-long'
  /** A KeyPackage is used once. */
  | 'key-package-used'
  /** A leaf commits too often. */
  | 'commit-too-often'
  /** An epoch has so many proposals, and bytes of them, beside removals. */
  | 'epoch-full'
  /** A void that is not of the commit at the log's end. */
  | 'void-invalid'
  /** Entries that are given back have to follow each other and the log's end. */
  | 'entries-not-in-sequence'
  /** What is given back comes with a GroupInfo of the epoch after it. */
  | 'group-info-of-another-epoch'
  /** An offer is for the suite that the ReInit names, */
  | 'offer-of-another-suite'
  /** of the same person and device as the leaf, */
  | 'offer-of-another-device'
  /** with keys of its own, that nobody else and no group before has, */
  | 'offer-reuses-key'
  /** and good until the next group will have been founded. */
  | 'offer-expires-too-soon'
  /** Once a ReInit has been committed, offers stay. */
  | 'offer-final'
  /** Not the group that the ReInit names, in its epoch 1, signed by its founder at leaf 0. */
  | 'continuation-differs'
  /** Everyone enters the next group as offered, and nobody else does. */
  | 'continuation-members-differ'

export class OrderingError extends ConclaveError<OrderingErrorCode> {
  override readonly name = 'OrderingError'
}

export type PackedRefusal = Packed<Refusal>

export function refuse(
  code: RefusalCode,
  message: string,
  extra: Pick<PackedRefusal, 'detail' | 'group' | 'leaves' | 'missed'> = {},
): PackedRefusal {
  return { ok: false, code, message, ...extra }
}

export function ended(): PackedRefusal {
  return refuse('group-unknown', 'the group has ended')
}

/**
 * The refusal of a message that broke the rule which `error` names.
 * @throws `error` itself where it is no rule's but a fault of the keyserver
 */
export function refuseFor(
  code: 'message-invalid' | 'key-package-invalid' | 'entries-inapplicable',
  error: unknown,
): PackedRefusal {
  if (!(error instanceof ConclaveError)) throw error
  return refuse(code, error.message, { detail: error.code })
}
