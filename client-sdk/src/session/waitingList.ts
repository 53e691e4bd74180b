import { ConclaveError } from '@conclave/core'
import { type Bytes, decode, toHex } from '@conclave/core/codec'
import { maxKeyPackageBytes, type WaitingJoiner } from '@conclave/core/delivery'
import { MeetingError, maxAddsPerCommit, mediaParameters } from '@conclave/core/meeting'
import { checkLifetime, checkProposal, type PublicGroup } from '@conclave/core/mls/public'
import {
  type KeyPackage,
  type LeafIndex,
  MlsMessage,
  ProposalType,
  SenderType,
  WireFormat,
} from '@conclave/core/wire'

/** Bytes of the Adds in one commit; more wait for the next, so that a commit stays small. */
const maxAddBytes = 256 << 10
/** Joiners that are looked at; a keyserver that says the truth lists fewer. */
const maxListed = 4096

interface Listed {
  /** Hexadecimal KeyPackageRef. */
  readonly ref: string
  /** MLSMessage with a KeyPackage. */
  readonly encoded: Bytes
}

/** Somebody whose KeyPackage a member has claimed, and who is told of to whoever has invited them. */
interface Invitee extends Listed {
  readonly signatureKey: Bytes
  readonly settled: PromiseWithResolvers<boolean>
}

/** What of a group says how many more it can hold. */
interface Occupancy {
  readonly tree: Pick<PublicGroup['tree'], 'memberCount'>
  readonly pendingRemovals: Pick<ReadonlySet<number>, 'size'>
}

export interface Joiner {
  readonly ref: string
  readonly keyPackage: KeyPackage
}

/**
 * Who waits to be added, as the keyserver says. Nobody on it can hold up a commit: whoever cannot
 * be added is left out, and not tried again, in a breakout room until its parent goes on.
 */
export class WaitingList {
  readonly #unfit = new Set<string>()
  /** Who is not in the room's parent, or is in an epoch of it that we have not seen. */
  readonly #early = new Set<string>()
  readonly #invited = new Map<string, Invitee>()
  #listed: readonly Listed[] = []

  /**
   * @param joiners all who wait; without the KeyPackages of those who were listed before
   * @returns whether we have all KeyPackages
   */
  update(joiners: readonly WaitingJoiner[]): boolean {
    const known = new Map(this.#listed.map(({ ref, encoded }) => [ref, encoded]))
    const listed = joiners.slice(0, maxListed).map(({ ref: bytes, keyPackage }) => {
      const ref = toHex(bytes)
      return { ref, encoded: keyPackage.length > 0 ? keyPackage : known.get(ref) }
    })
    this.#listed = listed.filter(isKnown)
    const refs = new Set(listed.map(({ ref }) => ref))
    for (const refused of [this.#unfit, this.#early]) {
      for (const ref of refused) if (!refs.has(ref)) refused.delete(ref)
    }
    return this.#listed.length === listed.length
  }

  /** The parent of the room that this is the list of has gone on: others are in it now. */
  parentChanged(): void {
    this.#early.clear()
  }

  /** Whether somebody is to be added of whom no other member knows. */
  get hasInvitees(): boolean {
    return this.#invited.size > 0
  }

  /**
   * Adds somebody by a KeyPackage that we have claimed; true once they are in the group, false where
   * it cannot be used.
   * @throws the error that `close` was given
   */
  invite(ref: Bytes, encoded: Bytes, signatureKey: Bytes): Promise<boolean> {
    const settled = Promise.withResolvers<boolean>()
    const invitee = { ref: toHex(ref), encoded, signatureKey, settled }
    this.#invited.get(invitee.ref)?.settled.resolve(false)
    this.#invited.set(invitee.ref, invitee)
    return settled.promise
  }

  /** The group has gone on; who of the invited is in it now need not be added any more. */
  epochBegan({ tree }: Pick<PublicGroup, 'tree'>): void {
    for (const { ref, signatureKey, settled } of this.#invited.values()) {
      if (tree.keys.memberWithSignatureKey(signatureKey) === undefined) continue
      this.#invited.delete(ref)
      settled.resolve(true)
    }
  }

  /** Gives up those who are invited: one of them keeps a commit from being taken. */
  refuseInvitees(): void {
    for (const ref of [...this.#invited.keys()]) this.refuse(ref, undefined)
  }

  /** Nobody will be added any more. */
  close(error: ConclaveError): void {
    for (const { settled } of this.#invited.values()) settled.reject(error)
    this.#invited.clear()
  }

  /** Whether there is anybody whom a commit of this group might add. */
  hasCandidates(group: Occupancy): boolean {
    return this.#candidates(group).length > 0
  }

  /** Those that a commit can add, each checked by itself and against the others. */
  async choose(group: PublicGroup, committer: LeafIndex): Promise<readonly Joiner[]> {
    const candidates = this.#candidates(group)
    const read = await Promise.all(
      candidates.map(({ encoded }) => readJoiner(group, committer, encoded)),
    )
    const taken = new Set<string>()
    const chosen: Joiner[] = []
    candidates.forEach(({ ref }, i) => {
      const keyPackage = read[i]
      if (keyPackage === undefined || keyPackage instanceof ConclaveError) {
        this.refuse(ref, keyPackage)
        return
      }
      const keys = keysOf(keyPackage)
      if (isIn(group, keyPackage) || keys.some((key) => taken.has(key))) {
        this.refuse(ref, undefined)
        return
      }
      for (const key of keys) taken.add(key)
      chosen.push({ ref, keyPackage })
    })
    return chosen
  }

  /**
   * Tries nobody again with this KeyPackageRef, or not before the room's parent goes on.
   * @param why what adding them has failed with, where there is a word for it
   */
  refuse(ref: string, why: ConclaveError | undefined): void {
    const invitee = this.#invited.get(ref)
    this.#invited.delete(ref)
    if (invitee !== undefined) invitee.settled.resolve(false)
    else if (isEarly(why)) this.#early.add(ref)
    else this.#unfit.add(ref)
  }

  #isRefused(ref: string): boolean {
    return this.#unfit.has(ref) || this.#early.has(ref)
  }

  #candidates({ tree, pendingRemovals }: Occupancy): readonly Listed[] {
    const room = 2 ** mediaParameters.leafBits - tree.memberCount + pendingRemovals.size
    const fit = [...this.#invited.values(), ...this.#listed]
      .filter(({ ref, encoded }) => !this.#isRefused(ref) && encoded.length <= maxKeyPackageBytes)
      .slice(0, Math.max(0, Math.min(room, maxAddsPerCommit)))
    let bytes = 0
    const end = fit.findIndex(({ encoded }) => {
      bytes += encoded.length
      return bytes > maxAddBytes
    })
    return end < 0 ? fit : fit.slice(0, end)
  }
}

function isKnown(
  entry: Pick<Listed, 'ref'> & { readonly encoded: Bytes | undefined },
): entry is Listed {
  return entry.encoded !== undefined
}

/** The KeyPackage, if its owner could be added by itself; else why not, as far as it can be told. */
async function readJoiner(
  { environment, crypto, groupContext, tree }: PublicGroup,
  committer: LeafIndex,
  encoded: Bytes,
): Promise<KeyPackage | ConclaveError | undefined> {
  const sender = { senderType: SenderType.member, leafIndex: committer }
  try {
    const message = decode(MlsMessage, encoded)
    if (message.wireFormat !== WireFormat.keyPackage) return undefined
    const { keyPackage } = message
    const proposal = { proposalType: ProposalType.add, keyPackage }
    checkLifetime(keyPackage.leafNode, environment.clock.now(), 'sender')
    await checkProposal(environment, crypto, { proposal, sender }, groupContext, tree)
    return keyPackage
  } catch (error) {
    if (error instanceof ConclaveError) return error
    throw error
  }
}

/** Whether it is because of the room's parent, which others may have seen go on before us. */
function isEarly(why: ConclaveError | undefined): boolean {
  return why instanceof MeetingError && why.code === 'room-member-unknown'
}

/** Whether a key of this KeyPackage is in the group already. */
function isIn({ tree: { keys } }: PublicGroup, { initKey, leafNode }: KeyPackage): boolean {
  return (
    [initKey, leafNode.encryptionKey].some((key) => keys.hasEncryptionKey(key)) ||
    keys.memberWithSignatureKey(leafNode.signatureKey) !== undefined
  )
}

/** No two KeyPackages in a commit share one of these. */
function keysOf({ initKey, leafNode: { encryptionKey, signatureKey } }: KeyPackage) {
  return [initKey, encryptionKey, signatureKey].map(toHex)
}
