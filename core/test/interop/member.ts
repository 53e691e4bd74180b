import { type Bytes, utf8 } from '../../src/codec/bytes.ts'
import type { OwnProposal } from '../../src/mls/group/index.ts'

/*
 * One small interface to two libraries. Between members nothing passes but encoded MLSMessages and
 * ratchet trees, as over a wire.
 */

/** Somebody with a signature key of its own, in raw form. */
export interface Person {
  readonly name: string
  readonly signatureKey: Bytes
  readonly signaturePublicKey: Bytes
}

/** A KeyPackage with its private keys in raw form, so that either library can join with it. */
export interface OwnKeyPackage {
  readonly person: Person
  /** A bare KeyPackage, without MLSMessage around it. */
  readonly keyPackage: Bytes
  readonly initKey: Bytes
  readonly leafKey: Bytes
}

/** Everything that two members of one epoch can compare. */
export interface View {
  readonly epoch: bigint
  readonly treeHash: string
  readonly confirmedTranscriptHash: string
  readonly epochAuthenticator: string
  readonly exported: string
  readonly resumptionPsk: string
  /** Leaf index and signature key. */
  readonly members: readonly string[]
}

export interface Framing {
  /** As a PrivateMessage. */
  readonly encrypted: boolean
  readonly authenticatedData: Bytes
}

export interface CommitPlan extends Framing {
  readonly proposals: readonly OwnProposal[]
  /** Where no proposal asks for a path; ts-mls then never makes one. */
  readonly path: boolean
  /** Whether the Welcome has the tree. */
  readonly ratchetTree: boolean
}

export interface MadeCommit {
  readonly message: Bytes
  readonly welcome: Bytes | undefined
  confirm(): void
  discard(): void
}

export type Received =
  | { readonly kind: 'application'; readonly data: Bytes }
  | { readonly kind: 'proposal' | 'commit' | 'removed' }

/** A client in a group. Its state moves on with what it sends and receives. */
export interface Member {
  readonly library: 'conclave' | 'ts-mls'
  readonly leafIndex: number
  view(): Promise<View>
  ratchetTree(): Bytes
  /** With `external_pub`. */
  groupInfo(options: { readonly ratchetTree: boolean }): Promise<Bytes>
  /** The proposal counts for its sender at once. */
  propose(proposal: OwnProposal, framing: Framing): Promise<Bytes>
  proposeUpdate(framing: Framing): Promise<Bytes>
  commit(plan: CommitPlan): Promise<MadeCommit>
  /** Throws for what is not accepted. */
  receive(message: Bytes): Promise<Received>
  protect(data: Bytes, authenticatedData: Bytes): Promise<Bytes>
  /** Goes on from its stored state. */
  restart(): Promise<void>
}

export interface ExternalJoin {
  readonly groupInfo: Bytes
  /** Where the GroupInfo does not have it. */
  readonly ratchetTree: Bytes | undefined
  /** The leaf of the same person that is replaced. */
  readonly replaces: number | undefined
}

export interface Library<T extends Member = Member> {
  readonly name: Member['library']
  keyPackage(person: Person): Promise<OwnKeyPackage>
  found(person: Person, groupId: Bytes): Promise<T>
  join(welcome: Bytes, own: OwnKeyPackage, ratchetTree: Bytes | undefined): Promise<T>
  joinExternally(
    person: Person,
    join: ExternalJoin,
  ): Promise<{ readonly message: Bytes; readonly member: T }>
}

/** What all know outside of any group, by its id in hexadecimal form. */
export type SharedKeys = ReadonlyMap<string, Bytes>

/** Of a key that all in a script or test have. */
export const pskId = utf8('agreed outside')

export const exporterLabel = 'interop'
