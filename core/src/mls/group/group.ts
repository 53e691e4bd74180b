import { type Bytes, emptyBytes } from '../../codec/bytes.ts'
import { decode, encode } from '../../codec/tls.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import { signWithLabel } from '../../crypto/secret/sign.ts'
import { ConclaveError } from '../../error.ts'
import { Lane } from '../../lane.ts'
import { type AuthenticatedContent, type FramedContent, MlsMessage } from '../../wire/framing.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import type { Proposal } from '../../wire/proposal.ts'
import type { LeafIndex, RatchetTree } from '../../wire/ratchetTree.ts'
import {
  ContentType,
  ProposalType,
  ProtocolVersion,
  SenderType,
  WireFormat,
} from '../../wire/registry.ts'
import { signGroupInfo } from '../bootstrap/groupInfo.ts'
import { MlsError } from '../mlsError.ts'
import { checkGroupAndEpoch } from '../public/contentSignature.ts'
import type { CommitEffect } from '../public/publicCommit.ts'
import type { PublicGroup } from '../public/publicGroup.ts'
import { protectPublic, signPublic, unprotectPublic } from '../treedem/publicMessage.ts'
import { exportSecret } from '../treekem/keySchedule.ts'
import type { Member } from '../treesync/publicTree.ts'
import { type CommitOptions, createCommit } from './commit.ts'
import { type Founding, foundEpoch, type Joining, joinEpoch } from './enter.ts'
import { type Epoch, type GroupEnvironment, wipeEpoch } from './epoch.ts'
import type { PendingCommit } from './pendingCommit.ts'
import { receiveCommit } from './receiveCommit.ts'

/** What came of a received message. Whatever a peer can cause is one of these, never an exception. */
export type Received =
  | { readonly kind: 'proposal'; readonly ref: Bytes }
  /** `group` takes the place of the one that received the message. */
  | { readonly kind: 'commit'; readonly group: Group; readonly effect: CommitEffect }
  /** The commit removed us; the group is over for us and its secrets are wiped. */
  | { readonly kind: 'removed'; readonly effect: CommitEffect }
  /** Nothing has changed. */
  | { readonly kind: 'rejected'; readonly error: ConclaveError }

export type OwnProposal = Exclude<Proposal, { proposalType: typeof ProposalType.update }>

/**
 * A member's view of a group in one epoch. Proposals accumulate in it; a commit gives the next
 * epoch's Group and ends this one, whose secrets are then wiped and whose methods throw
 * `group-superseded`.
 *
 * Received messages and commits to be made take turns in the order of their calls: each finds the
 * state that the one before has left.
 */
export class Group {
  #epoch: Epoch
  #ended: 'superseded' | 'left' | undefined
  readonly #lane = new Lane()

  private constructor(epoch: Epoch) {
    this.#epoch = epoch
  }

  /**
   * RFC 9420 §11: founds a group of one.
   * @throws MlsError `suite-unsupported`, or what the policy throws
   */
  static async found(environment: GroupEnvironment, founding: Founding): Promise<Group> {
    return new Group(await foundEpoch(environment, founding))
  }

  /**
   * RFC 9420 §12.4.3.1: joins by Welcome. The KeyPackage's private keys pass to the group.
   * @throws MlsError, or what the policy throws
   */
  static async join(environment: GroupEnvironment, joining: Joining): Promise<Group> {
    return new Group(await joinEpoch(environment, joining))
  }

  get groupContext(): GroupContext {
    return this.#epoch.public.groupContext
  }
  get groupId(): Bytes {
    return this.groupContext.groupId
  }
  get epoch(): bigint {
    return this.groupContext.epoch
  }
  get leafIndex(): LeafIndex {
    return this.#epoch.leafIndex
  }
  /** The public half: tree, context and this epoch's proposals. */
  get public(): PublicGroup {
    return this.#epoch.public
  }
  get members(): readonly Member[] {
    return this.#epoch.public.tree.members()
  }
  get ratchetTree(): RatchetTree {
    return this.#epoch.public.tree.toRatchetTree()
  }

  /**
   * RFC 9420 §8.7: equal for all members that have the same view of the group.
   * @throws MlsError `group-superseded`, `group-left`
   */
  get epochAuthenticator(): Bytes {
    return this.#alive().secrets.epochAuthenticator.expose().slice()
  }

  /**
   * RFC 9420 §8.6: proves membership in this epoch to a later epoch or another group. It belongs to
   * the caller, who decides how long past epochs can be proved.
   * @throws MlsError `group-superseded`, `group-left`
   */
  get resumptionPsk(): Secret {
    return this.#alive().secrets.resumptionPsk.copy()
  }

  /**
   * RFC 9420 §8.5: a secret of `length` bytes that all members of this epoch can derive. It belongs
   * to the caller.
   * @throws MlsError `group-superseded`, `group-left`
   */
  exportSecret(label: string, context: Bytes, length: number): Secret {
    const epoch = this.#alive()
    return exportSecret(epoch.crypto, epoch.secrets, label, context, length)
  }

  /** Signs `content` under a label of the application's with the leaf's key. */
  async sign(label: string, content: Bytes): Promise<Bytes> {
    return signWithLabel(this.#alive().signer, label, content)
  }

  /** MLSMessage with this epoch's GroupInfo, without the tree. */
  async groupInfo(): Promise<Bytes> {
    const { signer, confirmationTag, leafIndex } = this.#alive()
    const groupInfo = await signGroupInfo(signer, {
      groupContext: this.groupContext,
      extensions: [],
      confirmationTag,
      signer: leafIndex,
    })
    return encode(MlsMessage, {
      version: ProtocolVersion.mls10,
      wireFormat: WireFormat.groupInfo,
      groupInfo,
    })
  }

  /**
   * MLSMessage with a proposal of ours. It counts here once it comes back from the log, like
   * everyone's. An Update is none of them: a member renews its leaf by committing.
   * @throws MlsError `group-superseded`, `group-left`
   */
  async propose(proposal: OwnProposal, authenticatedData: Bytes = emptyBytes): Promise<Bytes> {
    const { signer, crypto, secrets, leafIndex } = this.#alive()
    const { groupContext } = this
    const content: FramedContent = {
      groupId: groupContext.groupId,
      epoch: groupContext.epoch,
      sender: { senderType: SenderType.member, leafIndex },
      authenticatedData,
      contentType: ContentType.proposal,
      proposal,
    }
    const wireFormat = WireFormat.publicMessage
    const signature = await signPublic(signer, content, groupContext)
    this.#alive()
    const publicMessage = protectPublic(
      crypto,
      secrets.membershipKey,
      { wireFormat, content, auth: { signature } },
      groupContext,
    )
    return encode(MlsMessage, { version: ProtocolVersion.mls10, wireFormat, publicMessage })
  }

  /** `propose` for leaving: the extensions draft's SelfRemove. */
  proposeSelfRemove(): Promise<Bytes> {
    return this.propose({ proposalType: ProposalType.selfRemove })
  }

  /**
   * RFC 9420 §12.4.1: a commit with a path, covering this epoch's proposals. Nothing changes until
   * it is confirmed.
   * @throws MlsError, or what the policy throws
   */
  commit(options: CommitOptions): Promise<PendingCommit> {
    return this.#lane.run(async () => {
      const pending = await this.#whileAlive(createCommit(this.#alive(), options))
      if (this.#ended !== undefined) pending.discard()
      this.#alive()
      return pending
    })
  }

  /**
   * The next epoch, once the log has confirmed a commit of this group's.
   * @throws MlsError `group-superseded`, `group-left`, `pending-commit-settled`
   */
  confirm(pending: PendingCommit): Group {
    const { secrets } = this.#alive()
    if (pending.previous.secrets !== secrets) {
      throw new MlsError('group-superseded', 'the commit was made in another epoch')
    }
    const next = pending.settle()
    this.#ended = 'superseded'
    return new Group(next)
  }

  /** Takes in a message of the group's log; the result says what came of it. */
  receive(message: Bytes): Promise<Received> {
    return this.#lane.run(async () => {
      try {
        return await this.#whileAlive(this.#receive(message))
      } catch (error) {
        if (error instanceof ConclaveError) return { kind: 'rejected', error }
        throw error
      }
    })
  }

  /** Wipes everything; for a member that leaves or gives up. */
  close(): void {
    if (this.#ended === undefined) wipeEpoch(this.#epoch)
    this.#ended ??= 'left'
  }

  async #receive(encoded: Bytes): Promise<Received> {
    const epoch = this.#alive()
    const authenticated = unprotect(epoch, encoded)
    await epoch.public.verifyFraming(authenticated)
    if (authenticated.content.contentType === ContentType.proposal) {
      const { group, ref } = await epoch.public.withVerifiedProposal(authenticated)
      this.#epoch = { ...this.#alive(), public: group }
      return { kind: 'proposal', ref }
    }
    const effect = await epoch.public.evaluateCommit(authenticated)
    if (effect.removed.includes(epoch.leafIndex)) {
      this.#alive()
      this.close()
      return { kind: 'removed', effect }
    }
    if (effect.proposals.committer === epoch.leafIndex) {
      throw new MlsError('commit-path-undecryptable', 'a commit of ours that we did not keep')
    }
    const next = await receiveCommit(epoch, effect, authenticated)
    if (this.#ended !== undefined) wipeEpoch(next, epoch)
    this.#alive()
    wipeEpoch(epoch, next)
    this.#ended = 'superseded'
    return { kind: 'commit', group: new Group(next), effect }
  }

  /** Where the group has ended meanwhile, that is why something failed: its secrets are gone. */
  async #whileAlive<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      this.#alive()
      throw error
    }
  }

  /** @throws MlsError `group-superseded`, `group-left` */
  #alive(): Epoch {
    if (this.#ended === 'superseded') {
      throw new MlsError('group-superseded', 'a later epoch has taken the place of this group')
    }
    if (this.#ended === 'left') throw new MlsError('group-left', 'this group is closed')
    return this.#epoch
  }
}

/** @throws CodecError, or MlsError `message-…` */
function unprotect(
  { crypto, secrets, public: group }: Epoch,
  encoded: Bytes,
): AuthenticatedContent {
  const message = decode(MlsMessage, encoded)
  if (message.wireFormat !== WireFormat.publicMessage) {
    throw new MlsError('message-wire-format-unexpected', 'the message is not a PublicMessage')
  }
  checkGroupAndEpoch(message.publicMessage.content, group.groupContext)
  return unprotectPublic(crypto, secrets.membershipKey, message.publicMessage, group.groupContext)
}
