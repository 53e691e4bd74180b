import { type Bytes, toHex, utf8 } from '../codec/bytes.ts'
import {
  decode,
  encode,
  type Infer,
  opaque,
  optional,
  struct,
  uint8,
  uint64,
} from '../codec/tls.ts'
import type { PublicSuite } from '../crypto/public/publicSuite.ts'
import { verifyWithLabel } from '../crypto/public/verifyWithLabel.ts'
import type { Extension } from '../wire/extension.ts'
import type { LeafNodeContent } from '../wire/ratchetTree.ts'
import { CredentialType } from '../wire/registry.ts'
import { MeetingError, MeetingExtensionType } from './meetingExtension.ts'

/**
 * A statement that somebody may enter a meeting, signed under the label "ConclaveAdmissionTicket"
 * by one of the meeting's admission keys.
 *
 * struct {
 *     opaque ticket_id<V>;
 *     opaque meeting_id<V>;
 *     opaque identity<V>;
 *     SignaturePublicKey device_key;
 *     uint8 role;
 *     uint64 expires_at;           // seconds since the Unix epoch
 *     SignaturePublicKey issuer;
 *     opaque signature<V>;
 * } AdmissionTicket;
 */
export const AdmissionTicket = struct({
  ticketId: opaque(64),
  meetingId: opaque(256),
  identity: opaque(1024),
  deviceKey: opaque(256),
  role: uint8,
  expiresAt: uint64,
  issuer: opaque(256),
  signature: opaque(256),
})
export type AdmissionTicket = Infer<typeof AdmissionTicket>

/**
 * LeafNode extension `conclave_member`: ties the leaf's signature key, fresh for each meeting, to
 * the device key that people verify (RFC 9750 §8.4.3.1: no signature key serves two groups).
 *
 * struct {
 *     SignaturePublicKey device_key;
 *     opaque device_signature<V>;   // SignWithLabel(., "ConclaveMember", MemberTBS)
 *     optional<AdmissionTicket> ticket;
 * } ConclaveMember;
 *
 * struct {
 *     opaque meeting_id<V>;        // empty: any meeting
 *     SignaturePublicKey signature_key;
 * } MemberTBS;
 */
export const ConclaveMember = struct({
  deviceKey: opaque(256),
  deviceSignature: opaque(256),
  ticket: optional(AdmissionTicket),
})
export type ConclaveMember = Infer<typeof ConclaveMember>

const MemberTbs = struct({ meetingId: opaque(), signatureKey: opaque() })

/** The label under which a device certifies a leaf's signature key. */
export const memberLabel = 'ConclaveMember'

/**
 * In place of a meeting's id, which is never empty: the device certifies the key for whichever
 * meeting its leaf is added to. For published KeyPackages alone, which are made before anybody
 * knows where they will be used.
 */
export const anyMeeting = ''

/**
 * What a device signs under `memberLabel`.
 * @param meetingId or `anyMeeting`
 */
export function memberTbs(meetingId: string, signatureKey: Bytes): Bytes {
  return encode(MemberTbs, { meetingId: utf8(meetingId), signatureKey })
}

export function memberExtension(member: ConclaveMember): Extension {
  return {
    extensionType: MeetingExtensionType.member,
    extensionData: encode(ConclaveMember, member),
  }
}

/** @throws MeetingError `member-extension-invalid` */
export function memberOf(leafNode: LeafNodeContent): ConclaveMember {
  const found = leafNode.extensions.filter((e) => e.extensionType === MeetingExtensionType.member)
  const [extension] = found
  if (extension === undefined || found.length > 1) {
    throw new MeetingError('member-extension-invalid', 'exactly one conclave_member is required')
  }
  try {
    return decode(ConclaveMember, extension.extensionData)
  } catch (cause) {
    throw new MeetingError('member-extension-invalid', 'conclave_member cannot be read', { cause })
  }
}

/** A device of a person, in whichever group its leaves are. Its tabs have a leaf each. */
export function deviceOf(leafNode: LeafNodeContent): string {
  const { credential } = leafNode
  if (credential.credentialType !== CredentialType.basic) {
    throw new MeetingError(
      'member-credential-unsupported',
      'only basic credentials are checked yet',
    )
  }
  return `${toHex(memberOf(leafNode).deviceKey)} ${toHex(credential.identity)}`
}

/** A leaf's `conclave_member`, whose signature is good. */
export interface VerifiedMember extends ConclaveMember {
  /** Whether the device named the meeting or left it open (`anyMeeting`). */
  readonly certifiedFor: 'this-meeting' | 'any-meeting'
}

/**
 * Checks that the leaf's device certified its signature key for this meeting or for any.
 * @param meetingId or `anyMeeting`, for which no certificate that names a meeting is good
 * @throws MeetingError `member-extension-invalid`
 */
export async function verifyMember(
  crypto: PublicSuite,
  meetingId: string,
  leafNode: LeafNodeContent,
): Promise<VerifiedMember> {
  const member = memberOf(leafNode)
  const { deviceKey, deviceSignature } = member
  const isFor = (named: string): Promise<boolean> => {
    const content = memberTbs(named, leafNode.signatureKey)
    return verifyWithLabel(crypto, deviceKey, memberLabel, content, deviceSignature, 'recurring')
  }
  if (meetingId !== anyMeeting && (await isFor(meetingId))) {
    return { ...member, certifiedFor: 'this-meeting' }
  }
  if (await isFor(anyMeeting)) return { ...member, certifiedFor: 'any-meeting' }
  throw new MeetingError('member-extension-invalid', 'the device did not certify this leaf')
}
