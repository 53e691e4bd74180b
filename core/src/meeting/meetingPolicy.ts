import { equalBytes, fromUtf8 } from '../codec/bytes.ts'
import { encode, encodeFor } from '../codec/tls.ts'
import type { PublicSuite } from '../crypto/public/publicSuite.ts'
import { externalSenders, requiredCapabilities } from '../mls/public/groupExtensions.ts'
import type { GroupPolicy } from '../mls/public/policy.ts'
import type { ProposalList, SourcedProposal } from '../mls/public/proposalList.ts'
import type { PublicTree } from '../mls/treesync/publicTree.ts'
import {
  type Extension,
  ExternalSender,
  ExternalSenders,
  RequiredCapabilities,
} from '../wire/extension.ts'
import type { GroupContext } from '../wire/groupContext.ts'
import { LeafNode } from '../wire/ratchetTree.ts'
import { CredentialType, ExtensionType, ProposalType, SenderType } from '../wire/registry.ts'
import {
  AdmissionPolicy,
  ConclaveMeeting,
  foundingTerms,
  MeetingError,
  MeetingExtensionType,
  type MeetingTrust,
  meetingExtension,
  meetingTerms,
} from './meetingExtension.ts'
import { type ConclaveMember, deviceOf, memberOf, verifyMember } from './memberExtension.ts'
import { checkReInit, continuesMeeting } from './reInitPolicy.ts'
import {
  checkAgainstParent,
  checkRoomLeaf,
  checkRoomPsk,
  isEviction,
  type RoomParent,
} from './roomPolicy.ts'

/** What every member of every Conclave group must support (docs/protocol.md). */
export const conclaveCapabilities: RequiredCapabilities = {
  extensionTypes: [MeetingExtensionType.meeting, MeetingExtensionType.member],
  proposalTypes: [ProposalType.selfRemove],
  credentialTypes: [],
}

/** The GroupContext extensions of a new meeting's group. */
export function foundingExtensions(
  meetingId: string,
  trust: MeetingTrust,
  externalSender: ExternalSender,
): readonly Extension[] {
  return [
    {
      extensionType: ExtensionType.requiredCapabilities,
      extensionData: encode(RequiredCapabilities, conclaveCapabilities),
    },
    {
      extensionType: ExtensionType.externalSenders,
      extensionData: encode(ExternalSenders, [externalSender]),
    },
    meetingExtension(foundingTerms(meetingId, trust)),
  ]
}

export interface MeetingExpectation {
  readonly meetingId: string
  /** The caller's terms; a delivery service has none and checks only that they are well-formed. */
  readonly trust?: MeetingTrust
  /** The keyserver's own, for the keyserver itself. */
  readonly externalSender?: ExternalSender
  /** What the meeting branches off, for a member of a breakout room. */
  readonly parent?: RoomParent | undefined
}

/** Adds that one commit carries by value; whoever else waits is added by the next. */
export const maxAddsPerCommit = 256

/** The rules of a Conclave group, enforced alike by every member and by the keyserver. */
export function meetingPolicy(expected: MeetingExpectation): GroupPolicy {
  return {
    pathAlwaysRequired: true,
    handshakes: 'public',
    addsByValue: maxAddsPerCommit,
    checkGroup: (context, tree) => checkGroup(expected, context, tree),
    checkLeaf: async (crypto, leafNode, _context, previous, by) => {
      await checkMemberLeaf(crypto, expected.meetingId, leafNode, previous)
      if (expected.parent !== undefined) checkRoomLeaf(expected.parent, leafNode, previous, by)
    },
    partyOf: deviceOf,
    checkProposal,
    checkReferable,
    checkProposals: (proposals, tree, context) => {
      checkProposals(proposals, tree, context)
      if (expected.parent !== undefined) checkAgainstParent(expected.parent, proposals, tree)
    },
  }
}

/** @throws MeetingError `meeting-…`, `group-conventions-violated`, `admission-policy-unsupported` */
function checkGroup(
  expected: MeetingExpectation,
  { extensions }: GroupContext,
  tree: PublicTree,
): void {
  const terms = meetingTerms(extensions)
  if (fromUtf8(terms.meetingId) !== expected.meetingId) {
    throw new MeetingError('meeting-terms-differ', 'the group is of another meeting')
  }
  const demanded = foundingTerms(expected.meetingId, expected.trust ?? { policy: 'open' })
  const { admissionPolicy, admissionKeys, rootFingerprints } = terms
  const comparable: ConclaveMeeting =
    expected.trust === undefined
      ? { ...demanded, admissionPolicy, admissionKeys, rootFingerprints }
      : demanded
  if (!equalBytes(encode(ConclaveMeeting, terms), encode(ConclaveMeeting, comparable))) {
    throw new MeetingError(
      'meeting-terms-differ',
      "the meeting's terms are not the expected ones",
      {
        remedy: 'Join with the trust settings that the meeting was created with.',
      },
    )
  }
  // A member of a room has to know what it branches off.
  const mayBranch = expected.trust === undefined || expected.parent !== undefined
  const enforced =
    admissionPolicy === AdmissionPolicy.open ||
    (admissionPolicy === AdmissionPolicy.branch && mayBranch)
  if (!enforced || rootFingerprints.length > 0) {
    throw new MeetingError('admission-policy-unsupported', 'only the policy "open" is enforced yet')
  }
  if (tree.leafCount > 2 ** terms.leafBits) {
    throw new MeetingError('meeting-full', 'the tree has leaves that no KID can name')
  }
  checkConventions(expected, extensions)
}

function checkConventions(
  { externalSender }: MeetingExpectation,
  extensions: GroupContext['extensions'],
): void {
  const required = requiredCapabilities(extensions)
  const requires =
    required !== undefined &&
    conclaveCapabilities.extensionTypes.every((type) => required.extensionTypes.includes(type)) &&
    conclaveCapabilities.proposalTypes.every((type) => required.proposalTypes.includes(type))
  const senders = externalSenders(extensions)
  const [sender] = senders
  const sendersFit =
    sender !== undefined &&
    senders.length === 1 &&
    (externalSender === undefined ||
      equalBytes(encode(ExternalSender, sender), encode(ExternalSender, externalSender)))
  if (!requires || !sendersFit) {
    throw new MeetingError(
      'group-conventions-violated',
      'required_capabilities or external_senders are not those of a Conclave group',
    )
  }
}

/** Bytes of one leaf: the names, keys and capabilities of a member, with its ticket, are under 4 KiB. */
const maxLeafBytes = 8192

/**
 * What every leaf of a meeting's group fulfils by itself, beside the rules of MLS.
 * @param meetingId or `anyMeeting`, for a KeyPackage that is yet to be used
 * @param previous the leaf that it replaces
 * @throws MeetingError `member-…`
 */
export async function checkMemberLeaf(
  crypto: PublicSuite,
  meetingId: string,
  leafNode: LeafNode,
  previous: LeafNode | undefined,
): Promise<void> {
  if (encodeFor(LeafNode, leafNode, ({ length }) => length) > maxLeafBytes) {
    throw new MeetingError('member-too-large', `a leaf has at most ${maxLeafBytes} bytes`)
  }
  if (leafNode.credential.credentialType !== CredentialType.basic) {
    throw new MeetingError(
      'member-credential-unsupported',
      'only basic credentials are checked yet',
    )
  }
  const before = previous && memberOf(previous)
  const sameKey = previous !== undefined && equalBytes(previous.signatureKey, leafNode.signatureKey)
  const member = memberOf(leafNode)
  // What the leaf before said of the same key has been verified with that leaf.
  if (!sameKey || before === undefined || !sameCertificate(before, member)) {
    await verifyMember(crypto, meetingId, leafNode)
  }
  if (previous === undefined || before === undefined) return
  // The signature key does not change within a group, so the device's certificate cannot either.
  const unchanged =
    sameKey &&
    previous.credential.credentialType === CredentialType.basic &&
    equalBytes(previous.credential.identity, leafNode.credential.identity) &&
    equalBytes(before.deviceKey, member.deviceKey)
  if (!unchanged) {
    throw new MeetingError('member-changed', 'a leaf changed its identity, device or signature key')
  }
}

function sameCertificate(a: ConclaveMember, b: ConclaveMember): boolean {
  return equalBytes(a.deviceKey, b.deviceKey) && equalBytes(a.deviceSignature, b.deviceSignature)
}

/** @throws MeetingError `proposal-not-authorised`, `reinit-not-allowed` */
function checkProposal(sourced: SourcedProposal, tree: PublicTree, context: GroupContext): void {
  const { proposal } = sourced
  if (!isAuthorised(sourced, context) && !isAuthorisedInRoom(sourced, context)) throw unauthorised()
  if (proposal.proposalType === ProposalType.reInit) checkReInit(proposal, tree, context)
}

/**
 * Who may enter a room or is to leave it is judged by the parent's epoch that the commit names: by
 * itself it cannot be.
 * @throws MeetingError `proposal-not-authorised`
 */
function checkReferable(sourced: SourcedProposal, _: PublicTree, context: GroupContext): void {
  const isAdd = sourced.proposal.proposalType === ProposalType.add
  if (!isAuthorised(sourced, context) || (isAdd && isRoom(context.extensions))) throw unauthorised()
}

function unauthorised(): MeetingError {
  return new MeetingError('proposal-not-authorised', 'the sender may not propose this')
}

/** @throws MeetingError `proposal-not-authorised`, `meeting-full`, `room-psk-invalid` */
function checkProposals(proposals: ProposalList, tree: PublicTree, context: GroupContext): void {
  for (const proposal of proposals.all) checkProposal(proposal, tree, context)
  const { leafBits, admissionPolicy } = meetingTerms(context.extensions)
  if (admissionPolicy === AdmissionPolicy.branch) checkRoomPsk(proposals)
  // A new leaf takes the leftmost blank, so indices stay below the number of members.
  const entering = proposals.adds.length + (proposals.externalInit === undefined ? 0 : 1)
  const members = tree.memberCount - proposals.removes.length + entering
  if (members > 2 ** leafBits) {
    throw new MeetingError('meeting-full', `a meeting has at most ${2 ** leafBits} members`)
  }
}

/**
 * Who may do what, as far as the policy `open` goes: without tickets nobody is a host. Whoever
 * enters by an external commit may remove its own old leaf, which `checkLeaf` compares with its
 * new one.
 */
function isAuthorised(sourced: SourcedProposal, { epoch, extensions }: GroupContext): boolean {
  const { proposal, sender } = sourced
  switch (proposal.proposalType) {
    case ProposalType.add:
    case ProposalType.update:
    case ProposalType.selfRemove:
      return sender.senderType === SenderType.member
    case ProposalType.remove:
      return (
        sender.senderType === SenderType.external ||
        sender.senderType === SenderType.newMemberCommit
      )
    case ProposalType.reInit:
      return sender.senderType === SenderType.member && !isRoom(extensions)
    case ProposalType.psk:
      return continuesMeeting(sourced, epoch) && !isRoom(extensions)
    case ProposalType.externalInit:
      return sender.senderType === SenderType.newMemberCommit
    default:
      return false
  }
}

/** In a breakout room commits carry a key of the parent, and remove who is not in that any more. */
function isAuthorisedInRoom(proposal: SourcedProposal, { extensions }: GroupContext): boolean {
  const { senderType } = proposal.sender
  const ofRoom =
    isEviction(proposal) ||
    (proposal.proposal.proposalType === ProposalType.psk &&
      (senderType === SenderType.member || senderType === SenderType.newMemberCommit))
  return ofRoom && isRoom(extensions)
}

function isRoom(extensions: GroupContext['extensions']): boolean {
  return meetingTerms(extensions).admissionPolicy === AdmissionPolicy.branch
}
