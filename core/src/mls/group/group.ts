import { type Bytes, emptyBytes, toHex } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import type { Secret } from '../../crypto/secret/secret.ts'
import { type Signer, signWithLabel } from '../../crypto/secret/sign.ts'
import { ConclaveError } from '../../error.ts'
import { Lane } from '../../lane.ts'
import { MlsMessage } from '../../wire/framing.ts'
import type { GroupContext } from '../../wire/groupContext.ts'
import type { Proposal } from '../../wire/proposal.ts'
import type { LeafIndex, RatchetTree } from '../../wire/ratchetTree.ts'
import { ContentType, ProposalType, ProtocolVersion, WireFormat } from '../../wire/registry.ts'
import type { OwnLeaf } from '../bootstrap/keyPackageBundle.ts'
import { MlsError } from '../mlsError.ts'
import { checkLifetime } from '../public/keyPackage.ts'
import type { CommitEffect } from '../public/publicCommit.ts'
import type { PublicGroup } from '../public/publicGroup.ts'
import { exportSecret } from '../treekem/keySchedule.ts'
import type { Member, PublicTree } from '../treesync/publicTree.ts'
import { type CommitOptions, createCommit } from './commit.ts'
import { type Branching, type Continuing, createBranch, createReInit } from './continueGroup.ts'
import { type Founding, foundEpoch, type Joining, joinEpoch } from './enter.ts'
import { type Epoch, type GroupEnvironment, retireEpoch, wipeEpoch } from './epoch.ts'
import { createExternalCommit, type ExternalJoining } from './externalCommit.ts'
import { frame, handshakeFormat, ownContent } from './framing.ts'
import { FutureMessages } from './futureMessages.ts'
import { describeEpoch, type GroupInfoOptions } from './groupInfo.ts'
import { type ApplicationMessage, decodeMessage, headOf } from './incoming.ts'
import type { PendingCommit } from './pendingCommit.ts'
import { receiveMessage, type Step } from './receive.ts'
import { restorePendingCommit } from './restorePending.ts'
import { defaultFutureLimits } from './retention.ts'
import { encodeEpoch, restoreEpoch, type StateOptions } from './state.ts'
import { makeUpdate } from './update.ts'

/** What came of a received message. Whatever a peer can cause is one of these, never an exception. */
export type Received =
  /** Application data, also of an epoch that is over but still kept. */
  | ({ readonly kind: 'application' } & ApplicationMessage)
  | { readonly kind: 'proposal'; readonly ref: Bytes }
  /** `group` takes the place of the one that received the message. */
  | { readonly kind: 'commit'; readonly group: Group; readonly effect: CommitEffect }
  /** The commit removed us; the group is over for us and its secrets are wiped. */
  | { readonly kind: 'removed'; readonly effect: CommitEffect }
  /** Not for this epoch of this group, or not any more. Nothing has changed. */
  | { readonly kind: 'own' | 'duplicate' | 'past-epoch'; readonly error: MlsError }
  /** If it is kept, `receiveKept` takes it in once its epoch has come. */
  | { readonly kind: 'future-epoch'; readonly kept: boolean; readonly error: MlsError }
  /** Nothing has changed. */
  | { readonly kind: 'rejected'; readonly error: ConclaveError }

/** Codes that say less of a message than of when it came. */
const untimely: Readonly<Partial<Record<MlsError['code'], 'own' | 'duplicate' | 'past-epoch'>>> = {
  'message-own': 'own',
  'message-known': 'duplicate',
  'message-key-consumed': 'duplicate',
  'message-epoch-past': 'past-epoch',
}

/** Of the commits that we make and discard within an epoch, the last may still come back. */
const maxOwnCommits = 64

/** How a proposal is sent. */
export interface HandshakeOptions {
  readonly authenticatedData?: Bytes
  /** As a PrivateMessage, which a delivery service cannot check. */
  readonly encrypted?: boolean
}

/** What a member can propose with a value of its own making; an Update makes new keys. */
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
  readonly #future: FutureMessages
  /** Commits of ours in this epoch, which come back from the log; by their hash. */
  readonly #ownCommits = new Set<string>()

  private constructor(epoch: Epoch, future?: FutureMessages) {
    this.#epoch = epoch
    this.#future =
      future ?? new FutureMessages(epoch.environment.futureLimits ?? defaultFutureLimits)
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
   * @param continues the group that this one may reinitialise or branch off
   * @throws MlsError, or what the policy throws
   */
  static async join(
    environment: GroupEnvironment,
    joining: Joining,
    continues?: Group,
  ): Promise<Group> {
    const old = continues === undefined ? undefined : continues.#alive()
    return new Group(
      await joinEpoch(environment, old === undefined ? joining : { ...joining, continues: old }),
    )
  }

  /**
   * RFC 9420 §12.4.3.2: the commit by which somebody enters without being added. `enter` gives its
   * group once the log has confirmed it.
   * @throws MlsError, or what the policy throws
   */
  static joinExternally(
    environment: GroupEnvironment,
    joining: ExternalJoining,
  ): Promise<PendingCommit> {
    return createExternalCommit(environment, joining)
  }

  /**
   * The group of a commit that no earlier epoch of it has made: `joinExternally`, `reInit`, `branch`.
   * @throws MlsError `group-superseded` for a member's commit, `pending-commit-settled`,
   *   `leaves-unverified` before `verifyLeaves` has passed
   */
  static enter(pending: PendingCommit): Group {
    if (!pending.enters) throw new MlsError('group-superseded', 'a commit of a member is confirmed')
    return new Group(pending.settle())
  }

  /**
   * The group that `encodeState` was called on.
   * @param signer signs with the key of our leaf, which is not part of the state
   * @param tree where that is not part of it either
   * @throws MlsError `state-…`
   */
  static restore(
    environment: GroupEnvironment,
    state: Bytes,
    signer: Signer,
    tree?: PublicTree,
  ): Group {
    return new Group(restoreEpoch(environment, state, signer, tree))
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

  /**
   * The extensions draft's SafeExportSecret: a secret of a component's own, which can be had once in
   * an epoch and not derived again afterwards. It belongs to the caller.
   * @throws MlsError `component-secret-consumed`, `group-superseded`, `group-left`
   */
  safeExportSecret(componentId: number): Secret {
    return this.#alive().safeExporter.exportSecret(componentId)
  }

  /** Signs `content` under a label of the application's with the leaf's key. */
  async sign(label: string, content: Bytes): Promise<Bytes> {
    return signWithLabel(this.#alive().signer, label, content)
  }

  /**
   * MLSMessage with this epoch's GroupInfo.
   * @throws MlsError `group-superseded`, `group-left`
   */
  async groupInfo(options?: GroupInfoOptions): Promise<Bytes> {
    const { crypto, signer, confirmationTag, leafIndex, secrets, public: group } = this.#alive()
    const { groupContext, tree } = group
    const content = { groupContext, confirmationTag, signer: leafIndex }
    const groupInfo = await describeEpoch(crypto, signer, content, tree, secrets, options)
    return encode(MlsMessage, {
      version: ProtocolVersion.mls10,
      wireFormat: WireFormat.groupInfo,
      groupInfo,
    })
  }

  /**
   * MLSMessage with application data (RFC 9420 §6.3, §15).
   * @throws MlsError `message-proposals-pending` where proposals wait for a commit (§12.4),
   *   `group-reinitialised`, `group-superseded`, `group-left`, `secret-tree-exhausted`,
   *   `generations-unreserved`
   */
  async protect(applicationData: Bytes, authenticatedData: Bytes = emptyBytes): Promise<Bytes> {
    const epoch = this.#sending()
    if (this.public.proposals.size > 0) {
      throw new MlsError('message-proposals-pending', 'a commit has to come before more messages')
    }
    const { application: contentType } = ContentType
    const content = ownContent(epoch, { authenticatedData, contentType, applicationData })
    const { message } = await this.#whileAlive(frame(epoch, WireFormat.privateMessage, content))
    return message
  }

  /**
   * MLSMessage with a proposal of ours. It counts here once it comes back from the log, like
   * everyone's; one that goes out encrypted nobody can read again and counts at once.
   * @throws MlsError `leaf-lifetime-expired`, `group-reinitialised`, `group-superseded`, `group-left`
   */
  propose(proposal: OwnProposal, options: HandshakeOptions = {}): Promise<Bytes> {
    return this.#propose(proposal, options)
  }

  /** `propose` for leaving: the extensions draft's SelfRemove, which is always a PublicMessage. */
  proposeSelfRemove(): Promise<Bytes> {
    return this.propose({ proposalType: ProposalType.selfRemove })
  }

  /**
   * RFC 9420 §12.1.2: proposes a new encryption key for our leaf, and what else `leaf` changes. Its
   * private key is kept until this epoch ends.
   * @throws MlsError `group-reinitialised`, `group-superseded`, `group-left`
   */
  async proposeUpdate(options: HandshakeOptions & { leaf?: OwnLeaf } = {}): Promise<Bytes> {
    const { update, leafNode } = await makeUpdate(this.#sending(), options.leaf)
    try {
      const epoch = this.#alive()
      this.#epoch = { ...epoch, updates: [...epoch.updates, update] }
      return await this.#propose({ proposalType: ProposalType.update, leafNode }, options)
    } catch (error) {
      const updates = this.#epoch.updates.filter((other) => other !== update)
      this.#epoch = { ...this.#epoch, updates }
      update.key.privateKey.wipe()
      throw error
    }
  }

  /**
   * RFC 9420 §12.4.1: a commit covering this epoch's proposals. Nothing changes until it is
   * confirmed.
   * @throws MlsError, or what the policy throws
   */
  commit(options: CommitOptions = {}): Promise<PendingCommit> {
    return this.#lane.run(() => this.#ours(createCommit(this.#sending(), options)))
  }

  /**
   * The commit whose state `PendingCommit.encodeState` gave, in the epoch in which it was made, with
   * the proposals that it refers to received again. It is judged anew and the same as it was: to be
   * sent again, confirmed where the log has it, or discarded.
   * @param signer where the commit gives our leaf another signature key
   * @throws MlsError `state-malformed`, `state-version-unsupported`, `state-signer-mismatch`,
   *   `pending-commit-mismatch` for a commit of another epoch, group or member, or why it is no
   *   longer valid
   */
  restorePending(state: Bytes, signer?: Signer): Promise<PendingCommit> {
    return this.#lane.run(() => {
      const epoch = this.#alive()
      return this.#ours(restorePendingCommit(epoch, state, signer ?? epoch.signer))
    })
  }

  /**
   * The next epoch, once the log has confirmed a commit of this group's.
   * @throws MlsError `group-superseded`, `group-left`, `pending-commit-settled`
   */
  confirm(pending: PendingCommit): Group {
    const epoch = this.#alive()
    if (pending.previous?.secrets !== epoch.secrets) {
      throw new MlsError('group-superseded', 'the commit was made in another epoch')
    }
    const next = pending.settle(epoch)
    this.#ended = 'superseded'
    return new Group(next, this.#future)
  }

  /**
   * RFC 9420 §11.2: the commit that founds the group which this one has agreed to be followed by.
   * @throws MlsError `continuation-…`, or what the policy throws
   */
  async reInit(environment: GroupEnvironment, continuing: Continuing): Promise<PendingCommit> {
    return this.#whileAlive(createReInit(environment, this.#alive(), continuing))
  }

  /**
   * RFC 9420 §11.3: the commit that founds a group of some of this one's members.
   * @throws MlsError `continuation-…`, or what the policy throws
   */
  async branch(environment: GroupEnvironment, branching: Branching): Promise<PendingCommit> {
    return this.#whileAlive(createBranch(environment, this.#alive(), branching))
  }

  /** Takes in a message to the group; the result says what came of it. */
  receive(message: Bytes): Promise<Received> {
    return this.#lane.run(async () => {
      try {
        return await this.#whileAlive(this.#take(message))
      } catch (error) {
        if (error instanceof MlsError) return this.#refused(error, message)
        if (error instanceof ConclaveError) return { kind: 'rejected', error }
        throw error
      }
    })
  }

  /**
   * Takes in the next message that came before this epoch did; undefined where there is none left.
   * After a commit the rest is for the group that it gave.
   */
  async receiveKept(): Promise<Received | undefined> {
    const message = this.#future.take(this.epoch, this.#epoch.environment.clock.now())
    return message && this.receive(message)
  }

  /** Wipes what has been kept of past epochs long enough; every received message does so too. */
  prune(): void {
    const { history, environment } = this.#alive()
    const now = environment.clock.now()
    history.prune(now)
    this.#future.prune(this.epoch, now)
  }

  /**
   * Sets aside the keys of the next `count` messages of each kind that this epoch sends as
   * PrivateMessages: a state that is stored from now on goes on after them, so that a member who is
   * restored from it never uses one again. To be stored before any of them is sent. Sending then
   * takes those and no others, until more are reserved; the next epoch begins anew.
   * @throws MlsError `secret-tree-limits-invalid` unless `count` is a whole number from 1 to 2^16,
   *   `secret-tree-exhausted`, `group-superseded`, `group-left`
   */
  reserveGenerations(count: number): void {
    this.#alive().messages.secretTree.reserve(count)
  }

  /**
   * All of this member's state but its signature key, for `restore`: versioned, and as secret as the
   * group. What has been wiped is not in it. A state must not be used again once the group went on
   * from it, but for messages that were reserved: it would use keys twice.
   * @throws MlsError `group-superseded`, `group-left`
   */
  encodeState(options: StateOptions = {}): Secret {
    this.prune()
    return encodeEpoch(this.#alive(), options)
  }

  /** Wipes everything; for a member that leaves or gives up. */
  close(): void {
    if (this.#ended === undefined) {
      wipeEpoch(this.#epoch)
      this.#epoch.history.wipe()
    }
    this.#ended ??= 'left'
  }

  async #propose(proposal: Proposal, options: HandshakeOptions): Promise<Bytes> {
    const epoch = this.#sending()
    if (proposal.proposalType === ProposalType.add) {
      checkLifetime(proposal.keyPackage.leafNode, epoch.environment.clock.now(), 'sender')
    }
    const content = ownContent(epoch, {
      authenticatedData: options.authenticatedData ?? emptyBytes,
      contentType: ContentType.proposal,
      proposal,
    })
    const wireFormat = handshakeFormat(epoch, options.encrypted)
    const { authenticated, message } = await this.#whileAlive(frame(epoch, wireFormat, content))
    if (options.encrypted === true) {
      // In its turn: what is being received would be forgotten otherwise, or forget this.
      await this.#lane.run(async () => {
        const { group } = await this.#alive().public.withVerifiedProposal(authenticated)
        this.#epoch = { ...this.#alive(), public: group }
      })
    }
    return message
  }

  async #take(encoded: Bytes): Promise<Received> {
    this.prune()
    if (this.#ownCommits.has(this.#hash(encoded))) {
      throw new MlsError('message-own', 'a commit of ours, which is confirmed and not received')
    }
    const epoch = this.#alive()
    return this.#follow(epoch, await receiveMessage(epoch, encoded))
  }

  #follow(from: Epoch, step: Step): Received {
    switch (step.kind) {
      case 'application':
        return step
      case 'proposal':
        this.#epoch = { ...this.#alive(), public: step.public }
        return { kind: 'proposal', ref: step.ref }
      case 'removed':
        this.#alive()
        this.close()
        return step
      case 'commit': {
        const { next, effect } = step
        if (this.#ended !== undefined) wipeEpoch(next, from)
        retireEpoch(this.#alive(), next)
        this.#ended = 'superseded'
        return { kind: 'commit', group: new Group(next, this.#future), effect }
      }
    }
  }

  #refused(error: MlsError, encoded: Bytes): Received {
    const kind = untimely[error.code]
    if (kind !== undefined) return { kind, error }
    if (error.code !== 'message-epoch-future') return { kind: 'rejected', error }
    const { epoch } = headOf(decodeMessage(encoded))
    const now = this.#epoch.environment.clock.now()
    return { kind: 'future-epoch', kept: this.#future.keep(epoch, encoded, this.epoch, now), error }
  }

  /** A commit that may come back from the log. */
  async #ours(made: Promise<PendingCommit>): Promise<PendingCommit> {
    const pending = await this.#whileAlive(made)
    if (this.#ended !== undefined) pending.discard()
    this.#alive()
    this.#remember(pending.message)
    return pending
  }

  #remember(ownCommit: Bytes): void {
    this.#ownCommits.add(this.#hash(ownCommit))
    const [oldest] = this.#ownCommits
    if (this.#ownCommits.size > maxOwnCommits && oldest !== undefined) {
      this.#ownCommits.delete(oldest)
    }
  }

  #hash(message: Bytes): string {
    return toHex(this.#epoch.crypto.hash(message))
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

  /** §12.4.2: nothing is sent any more in a group that is to be founded anew. */
  #sending(): Epoch {
    const epoch = this.#alive()
    if (epoch.public.reInit !== undefined) {
      throw new MlsError('group-reinitialised', 'the group is to be founded anew')
    }
    return epoch
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
