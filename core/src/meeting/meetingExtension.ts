import { type Bytes, fromUtf8, utf8 } from '../codec/bytes.ts'
import {
  decode,
  encode,
  type Infer,
  oneOf,
  opaque,
  struct,
  uint8,
  uint16,
  vector,
} from '../codec/tls.ts'
import { ConclaveError } from '../error.ts'
import type { Extension, Extensions } from '../wire/extension.ts'

/** Private-use code points (RFC 9420 §17.3) of the conventions that every Conclave group follows. */
export const MeetingExtensionType = { meeting: 0xf000, member: 0xf001 } as const

export const AdmissionPolicy = { open: 1, ticket: 2, hostApproval: 3, branch: 4 } as const

/**
 * GroupContext extension `conclave_meeting`: what all members agree a meeting to be. It is part of
 * the GroupContext, so a server that shows two people different terms shows them different groups.
 *
 * struct {
 *     opaque meeting_id<V>;
 *     uint16 sframe_cipher_suite;
 *     uint8 epoch_bits;
 *     uint8 leaf_bits;
 *     AdmissionPolicy admission_policy;
 *     SignaturePublicKey admission_keys<V>;
 *     opaque root_fingerprints<V>;
 *     uint8 locked;
 *     TicketId revoked<V>;
 * } ConclaveMeeting;
 */
export const ConclaveMeeting = struct({
  meetingId: opaque(256),
  sframeCipherSuite: uint16,
  epochBits: uint8,
  leafBits: uint8,
  admissionPolicy: oneOf(uint8, Object.values(AdmissionPolicy)),
  admissionKeys: vector(opaque(256), 64),
  rootFingerprints: vector(opaque(64), 64),
  locked: oneOf(uint8, [0, 1]),
  revoked: vector(opaque(64), 4096),
})
export type ConclaveMeeting = Infer<typeof ConclaveMeeting>

export type MeetingErrorCode =
  /** The GroupContext has no `conclave_meeting`, several, or one that cannot be read. */
  | 'meeting-extension-invalid'
  /** The meeting's terms are not those that the caller trusts. */
  | 'meeting-terms-differ'
  /** A leaf has no `conclave_member`, or its device did not certify the leaf's key for the meeting. */
  | 'member-extension-invalid'
  /** A leaf is larger than what everyone who joins can be asked to take in for each member. */
  | 'member-too-large'
  /** A leaf changed what stays the same for as long as it is in the group. */
  | 'member-changed'
  /** The credential is not one that this version can check. */
  | 'member-credential-unsupported'
  /** The admission policy is not one that this version enforces. */
  | 'admission-policy-unsupported'
  /** Every leaf index that the KID layout can hold is taken. */
  | 'meeting-full'
  /** The group's parameters differ from what every Conclave group has. */
  | 'group-conventions-violated'
  /** Someone proposed what their role does not allow. */
  | 'proposal-not-authorised'
  /** A ReInit that changes more of the meeting than its cipher suite, or to one that not all can do. */
  | 'reinit-not-allowed'
  /** A commit of a breakout room lacks the key of its parent, or has one that it may not have. */
  | 'room-psk-invalid'
  /** A leaf of a breakout room is of somebody who is not in its parent, or was not called. */
  | 'room-member-unknown'

export class MeetingError extends ConclaveError<MeetingErrorCode> {
  override readonly name = 'MeetingError'
}

/** The part of the terms that the caller brings along, never a server. */
export interface MeetingTrust {
  /** `branch` is a breakout room's, in which only members of its parent are. */
  readonly policy: 'open' | 'ticket' | 'host-approval' | 'branch'
  /** Keys that may sign admission tickets. */
  readonly admissionKeys?: readonly Bytes[]
  /** SHA-256 fingerprints of the certificate authorities of x509 credentials. */
  readonly rootFingerprints?: readonly Bytes[]
}

const policyByName = {
  open: AdmissionPolicy.open,
  ticket: AdmissionPolicy.ticket,
  'host-approval': AdmissionPolicy.hostApproval,
  branch: AdmissionPolicy.branch,
} as const

/** AES_128_GCM_SHA256_128 (RFC 9605 §8.1) and the KID layout of docs/protocol.md. */
export const mediaParameters = { sframeCipherSuite: 4, epochBits: 8, leafBits: 10 } as const

/** The terms under which the creator of a meeting's group founds it. */
export function foundingTerms(meetingId: string, trust: MeetingTrust): ConclaveMeeting {
  return {
    meetingId: utf8(meetingId),
    ...mediaParameters,
    admissionPolicy: policyByName[trust.policy],
    admissionKeys: trust.admissionKeys ?? [],
    rootFingerprints: trust.rootFingerprints ?? [],
    locked: 0,
    revoked: [],
  }
}

export function meetingExtension(terms: ConclaveMeeting): Extension {
  return {
    extensionType: MeetingExtensionType.meeting,
    extensionData: encode(ConclaveMeeting, terms),
  }
}

/** @throws MeetingError `meeting-extension-invalid` */
export function meetingTerms(extensions: Extensions): ConclaveMeeting {
  const found = extensions.filter((e) => e.extensionType === MeetingExtensionType.meeting)
  const [extension] = found
  if (extension === undefined || found.length > 1) {
    throw new MeetingError('meeting-extension-invalid', 'exactly one conclave_meeting is required')
  }
  try {
    return decode(ConclaveMeeting, extension.extensionData)
  } catch (cause) {
    throw new MeetingError('meeting-extension-invalid', 'conclave_meeting cannot be read', {
      cause,
    })
  }
}

export function meetingIdOf(terms: ConclaveMeeting): string | undefined {
  return fromUtf8(terms.meetingId)
}
