import type { PublicCrypto, PublicSuite } from '../../crypto/public/publicSuite.ts'
import type { Clock } from '../../runtime.ts'
import type { ExternalSender } from '../../wire/extension.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import type { LeafNode } from '../../wire/ratchetTree.ts'
import type { SenderType } from '../../wire/registry.ts'
import type { PublicTree } from '../treesync/publicTree.ts'
import type { ProposalList, SourcedProposal } from './proposalList.ts'

/**
 * Who asks about a leaf. Clocks differ, so that whoever sends a leaf is stricter about time than
 * whoever receives it, and who joins does not judge by time what was accepted before it came.
 */
export type Judge = 'sender' | 'receiver' | 'joiner'

/**
 * What the application decides, asked at the same points by every member and by the delivery
 * service. A refusal is a thrown ConclaveError; it becomes the refusal of the whole message.
 */
export interface GroupPolicy {
  /** Whether every commit must have a path, also one that RFC 9420 §12.4 lets go without. */
  readonly pathAlwaysRequired: boolean
  /**
   * 'public' where the delivery service has to follow the group, so that handshakes must be
   * PublicMessages; 'any' where left out.
   */
  readonly handshakes?: 'public' | 'any'
  /**
   * Adds that a commit may carry by value, whose KeyPackages everyone has to verify with it.
   * Bounded with its other proposals alone where left out.
   */
  readonly addsByValue?: number
  /** The group's parameters, when it is entered and whenever its extensions change. */
  checkGroup(context: GroupContext, tree: PublicTree): void
  /**
   * A leaf that enters, changes or is met on joining: RFC 9420 §5.3.1's credential validation.
   * `previous` is the leaf that it replaces, whose successor it must be (§5.3.3). A receiver
   * asks where nobody is named.
   */
  checkLeaf(
    crypto: PublicSuite,
    leafNode: LeafNode,
    context: GroupContext,
    previous?: LeafNode,
    by?: Judge,
  ): Promise<void>
  /** An entry of `external_senders`, when it is met first (§5.3.1). Not judged where left out. */
  checkExternalSender?(
    crypto: PublicSuite,
    sender: ExternalSender,
    context: GroupContext,
  ): Promise<void>
  /**
   * Whether this sender may propose this. Asked when a proposal arrives, so that nobody remembers
   * and commits what everyone would refuse.
   */
  checkProposal(proposal: SourcedProposal, tree: PublicTree, context: GroupContext): void
  /**
   * Whether a proposal that `checkProposal` has passed may come by itself, to be committed by
   * reference. Any may where this is left out.
   */
  checkReferable?(proposal: SourcedProposal, tree: PublicTree, context: GroupContext): void
  /**
   * Whether these may be committed together, and whether this newcomer may commit: an external
   * commit has `externalInit` set.
   */
  checkProposals(proposals: ProposalList, tree: PublicTree, context: GroupContext): void
  /**
   * Who a leaf belongs to: leaves of one client have equal names, and a group has a client only
   * once (§12.2). A leaf's client is its signature key where this is left out.
   */
  clientOf?(leafNode: LeafNode): string
  /**
   * Who a leaf belongs to in groups of which one continues the other, where nobody's leaf stays the
   * same: leaves of one party have equal names, and it may have several. `clientOf` where this is
   * left out, and a leaf's credential where that is, too.
   */
  partyOf?(leafNode: LeafNode): string
}

/** Judges nothing: for groups whose application checks elsewhere. */
export const permissivePolicy: GroupPolicy = {
  pathAlwaysRequired: false,
  checkGroup: () => {},
  checkLeaf: async () => {},
  checkProposal: () => {},
  checkProposals: () => {},
}

/**
 * The rules of a proposal type that the application has registered under a code point of its own.
 * All members have to list the type in their capabilities. What the proposal means is for the
 * application, which finds it in the commit's effect.
 */
export interface CustomProposalRules {
  /** Whether a commit that covers one needs a path (§12.4). */
  readonly needsPath: boolean
  /** Who may send one; never a newcomer's commit. */
  readonly senders: readonly SenderType[]
  /** Throws a ConclaveError to refuse. */
  check(proposal: SourcedProposal, tree: PublicTree, context: GroupContext): void
}

/** What public state depends on besides its own content. */
export interface PublicEnvironment {
  readonly crypto: PublicCrypto
  readonly policy: GroupPolicy
  /** By proposal type. */
  readonly customProposals?: ReadonlyMap<number, CustomProposalRules>
  readonly clock: Pick<Clock, 'now'>
}
