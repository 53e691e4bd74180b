import type { Bytes } from '../codec/bytes.ts'
import {
  type Codec,
  empty,
  extend,
  fixedOpaque,
  type Infer,
  keepingBytes,
  oneOf,
  opaque,
  struct,
  uint8,
  uint16,
  uint32,
  uint64,
  variant,
} from '../codec/tls.ts'
import { Commit } from './commit.ts'
import { GroupContext } from './groupContext.ts'
import { KeyPackage } from './keyPackage.ts'
import { Proposal } from './proposal.ts'
import { LeafIndex } from './ratchetTree.ts'
import { ContentType, ProtocolVersion, SenderType, WireFormat } from './registry.ts'
import { GroupInfo, Welcome } from './welcome.ts'

/*
 * RFC 9420 §6
 *
 * struct {
 *     SenderType sender_type;
 *     select (Sender.sender_type) {
 *         case member:   uint32 leaf_index;
 *         case external: uint32 sender_index;
 *         case new_member_commit:
 *         case new_member_proposal: struct{};
 *     };
 * } Sender;
 */
export const Sender = variant('senderType', uint8, {
  [SenderType.member]: struct({ leafIndex: LeafIndex }),
  [SenderType.external]: struct({ senderIndex: uint32 }),
  [SenderType.newMemberProposal]: empty,
  [SenderType.newMemberCommit]: empty,
})
export type Sender = Infer<typeof Sender>

/*
 * struct {
 *     opaque group_id<V>;
 *     uint64 epoch;
 *     Sender sender;
 *     opaque authenticated_data<V>;
 *     ContentType content_type;
 *     select (FramedContent.content_type) {
 *         case application: opaque application_data<V>;
 *         case proposal:    Proposal proposal;
 *         case commit:      Commit commit;
 *     };
 * } FramedContent;
 */
const contentCases = {
  [ContentType.application]: struct({ applicationData: opaque() }),
  [ContentType.proposal]: struct({ proposal: Proposal }),
  [ContentType.commit]: struct({ commit: Commit }),
} as const

const TypedContent = variant('contentType', uint8, contentCases)

export const FramedContent = keepingBytes(
  extend(
    struct({ groupId: opaque(), epoch: uint64, sender: Sender, authenticatedData: opaque() }),
    () => TypedContent,
  ),
)
export type FramedContent = Infer<typeof FramedContent>
export type CommitContent = Extract<FramedContent, { contentType: typeof ContentType.commit }>
export type ProposalContent = Extract<FramedContent, { contentType: typeof ContentType.proposal }>

/*
 * §6.1
 *
 * struct {
 *     // SignWithLabel(., "FramedContentTBS", FramedContentTBS)
 *     opaque signature<V>;
 *     select (FramedContent.content_type) {
 *         case commit:      MAC confirmation_tag;
 *         case application:
 *         case proposal:    struct{};
 *     };
 * } FramedContentAuthData;
 */
const SignatureOnly = struct({ signature: opaque() })
const SignatureAndTag = struct({ signature: opaque(), confirmationTag: opaque() })
export interface FramedContentAuthData {
  readonly signature: Infer<typeof SignatureOnly>['signature']
  /** Present exactly when the content is a commit. */
  readonly confirmationTag?: Infer<typeof SignatureAndTag>['confirmationTag']
}
export function framedContentAuthData(contentType: ContentType): Codec<FramedContentAuthData> {
  return contentType === ContentType.commit
    ? (SignatureAndTag as Codec<FramedContentAuthData>)
    : SignatureOnly
}

/*
 * struct {
 *     ProtocolVersion version = mls10;
 *     WireFormat wire_format;
 *     FramedContent content;
 *     select (FramedContentTBS.content.sender.sender_type) {
 *         case member:
 *         case new_member_commit:   GroupContext context;
 *         case external:
 *         case new_member_proposal: struct{};
 *     };
 * } FramedContentTBS;
 */
const FramedContentTbsHead = struct({
  version: uint16,
  wireFormat: uint16,
  content: FramedContent,
})
const ContextTail = struct({ context: GroupContext })
export interface FramedContentTbs extends Infer<typeof FramedContentTbsHead> {
  /** Read only where the sender's type calls for it. */
  readonly context: GroupContext
}
export const FramedContentTbs: Codec<FramedContentTbs> = extend(FramedContentTbsHead, (head) => {
  const { senderType } = head.content.sender
  return senderType === SenderType.member || senderType === SenderType.newMemberCommit
    ? ContextTail
    : (empty as Codec<Infer<typeof ContextTail>>)
})

/*
 * struct {
 *     WireFormat wire_format;
 *     FramedContent content;
 *     FramedContentAuthData auth;
 * } AuthenticatedContent;
 */
export const AuthenticatedContent = extend(
  struct({ wireFormat: uint16, content: FramedContent }),
  ({ content }) => struct({ auth: framedContentAuthData(content.contentType) }),
)
export type AuthenticatedContent = Infer<typeof AuthenticatedContent>

/*
 * §6.2
 *
 * struct {
 *     FramedContent content;
 *     FramedContentAuthData auth;
 *     select (PublicMessage.content.sender.sender_type) {
 *         case member: MAC membership_tag;
 *         case external:
 *         case new_member_commit:
 *         case new_member_proposal: struct{};
 *     };
 * } PublicMessage;
 *
 * struct {
 *     FramedContentTBS content_tbs;
 *     FramedContentAuthData auth;
 * } AuthenticatedContentTBM;
 */
const MembershipTag = struct({ membershipTag: opaque() })
const SignedContent = extend(struct({ content: FramedContent }), ({ content }) =>
  struct({ auth: framedContentAuthData(content.contentType) }),
)
export interface PublicMessage extends Infer<typeof SignedContent> {
  /** Present exactly when the sender is a member. */
  readonly membershipTag?: Infer<typeof MembershipTag>['membershipTag']
}
export const PublicMessage: Codec<PublicMessage> = extend(SignedContent, ({ content }) =>
  content.sender.senderType === SenderType.member
    ? (MembershipTag as Codec<Partial<Infer<typeof MembershipTag>>>)
    : empty,
)

export const AuthenticatedContentTbm = extend(
  struct({ contentTbs: FramedContentTbs }),
  ({ contentTbs }) => struct({ auth: framedContentAuthData(contentTbs.content.contentType) }),
)

/*
 * §6.3
 *
 * struct {
 *     opaque group_id<V>;
 *     uint64 epoch;
 *     ContentType content_type;
 *     opaque authenticated_data<V>;
 *     opaque encrypted_sender_data<V>;
 *     opaque ciphertext<V>;
 * } PrivateMessage;
 */
export const PrivateMessage = struct({
  groupId: opaque(),
  epoch: uint64,
  contentType: oneOf(uint8, Object.values(ContentType)),
  authenticatedData: opaque(),
  encryptedSenderData: opaque(),
  ciphertext: opaque(),
})
export type PrivateMessage = Infer<typeof PrivateMessage>

/*
 * §6.3.1
 *
 * struct {
 *     select (PrivateMessage.content_type) {
 *         case application: opaque application_data<V>;
 *         case proposal:    Proposal proposal;
 *         case commit:      Commit commit;
 *     };
 *     FramedContentAuthData auth;
 *     opaque padding[length_of_padding];
 * } PrivateMessageContent;
 *
 * struct {
 *     opaque group_id<V>;
 *     uint64 epoch;
 *     ContentType content_type;
 *     opaque authenticated_data<V>;
 * } PrivateContentAAD;
 *
 * §6.3.2
 *
 * struct {
 *     uint32 leaf_index;
 *     uint32 generation;
 *     opaque reuse_guard[4];
 * } SenderData;
 *
 * struct {
 *     opaque group_id<V>;
 *     uint64 epoch;
 *     ContentType content_type;
 * } SenderDataAAD;
 */
export function privateMessageContent(contentType: ContentType): Codec<PrivateMessageContent> {
  const body: Codec<object> = contentCases[contentType]
  return extend(
    extend(tagged(contentType), () => body as Codec<Infer<typeof TypedContent>>),
    () => struct({ auth: framedContentAuthData(contentType), padding: remainder }),
  )
}
export type PrivateMessageContent = Infer<typeof TypedContent> & {
  readonly auth: FramedContentAuthData
  /** Whatever follows; whether it is zero is for the receiver to check. */
  readonly padding: Bytes
}

/** The content type, which is not encoded: the PrivateMessage says it. */
function tagged(contentType: ContentType): Codec<{ readonly contentType: ContentType }> {
  return { write: () => {}, read: () => ({ contentType }) }
}

/** All bytes that are left. */
const remainder: Codec<Bytes> = {
  write: (value, to) => to.raw(value),
  read: (from) => from.raw(from.remaining),
}

/*
 * §6
 *
 * struct {
 *     ProtocolVersion version = mls10;
 *     WireFormat wire_format;
 *     select (MLSMessage.wire_format) {
 *         case mls_public_message:  PublicMessage public_message;
 *         case mls_private_message: PrivateMessage private_message;
 *         case mls_welcome:         Welcome welcome;
 *         case mls_group_info:      GroupInfo group_info;
 *         case mls_key_package:     KeyPackage key_package;
 *     };
 * } MLSMessage;
 */
const MlsMessageBody = variant('wireFormat', uint16, {
  [WireFormat.publicMessage]: struct({ publicMessage: PublicMessage }),
  [WireFormat.privateMessage]: struct({ privateMessage: PrivateMessage }),
  [WireFormat.welcome]: struct({ welcome: Welcome }),
  [WireFormat.groupInfo]: struct({ groupInfo: GroupInfo }),
  [WireFormat.keyPackage]: struct({ keyPackage: KeyPackage }),
})
export const MlsMessage = extend(
  struct({ version: oneOf(uint16, [ProtocolVersion.mls10]) }),
  () => MlsMessageBody,
)
export type MlsMessage = Infer<typeof MlsMessage>

export const PrivateContentAad = struct({
  groupId: opaque(),
  epoch: uint64,
  contentType: uint8,
  authenticatedData: opaque(),
})

export const SenderData = struct({
  leafIndex: LeafIndex,
  generation: uint32,
  reuseGuard: fixedOpaque(4),
})
export type SenderData = Infer<typeof SenderData>

export const SenderDataAad = struct({ groupId: opaque(), epoch: uint64, contentType: uint8 })
