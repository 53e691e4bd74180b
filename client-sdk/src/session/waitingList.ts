import { ConclaveError } from '@conclave/core'
import { type Bytes, decode, toHex } from '@conclave/core/codec'
import { maxKeyPackageBytes, type WaitingJoiner } from '@conclave/core/delivery'
import { maxAddsPerCommit, mediaParameters } from '@conclave/core/meeting'
import { checkLifetime, checkProposal, type PublicGroup } from '@conclave/core/mls/public'
import {
  type KeyPackage,
  type LeafIndex,
  type LeafNode,
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
 * be added is left out, and not tried again.
 */
export class WaitingList {
  readonly #unfit = new Set<string>()
  #listed: readonly Listed[] = []

  update(joiners: readonly WaitingJoiner[]): void {
    this.#listed = joiners
      .slice(0, maxListed)
      .map(({ ref, keyPackage }) => ({ ref: toHex(ref), encoded: keyPackage }))
    const refs = new Set(this.#listed.map(({ ref }) => ref))
    for (const ref of this.#unfit) if (!refs.has(ref)) this.#unfit.delete(ref)
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
    const taken = new Set(group.tree.members().flatMap(({ leafNode }) => keysOf(leafNode)))
    const chosen: Joiner[] = []
    candidates.forEach(({ ref }, i) => {
      const keyPackage = read[i]
      const keys = keyPackage && [toHex(keyPackage.initKey), ...keysOf(keyPackage.leafNode)]
      if (keyPackage === undefined || keys?.some((key) => taken.has(key))) {
        this.refuse(ref)
        return
      }
      for (const key of keys ?? []) taken.add(key)
      chosen.push({ ref, keyPackage })
    })
    return chosen
  }

  /** Tries nobody again with this KeyPackageRef. */
  refuse(ref: string): void {
    this.#unfit.add(ref)
  }

  #candidates({ tree, pendingRemovals }: Occupancy): readonly Listed[] {
    const room = 2 ** mediaParameters.leafBits - tree.memberCount + pendingRemovals.size
    const fit = this.#listed
      .filter(({ ref, encoded }) => !this.#unfit.has(ref) && encoded.length <= maxKeyPackageBytes)
      .slice(0, Math.max(0, Math.min(room, maxAddsPerCommit)))
    let bytes = 0
    const end = fit.findIndex(({ encoded }) => {
      bytes += encoded.length
      return bytes > maxAddBytes
    })
    return end < 0 ? fit : fit.slice(0, end)
  }
}

/** The KeyPackage, if its owner could be added by itself. */
async function readJoiner(
  { environment, crypto, groupContext, tree }: PublicGroup,
  committer: LeafIndex,
  encoded: Bytes,
): Promise<KeyPackage | undefined> {
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
    if (error instanceof ConclaveError) return undefined
    throw error
  }
}

/** No two leaves share one of these. */
function keysOf({ encryptionKey, signatureKey }: LeafNode): readonly string[] {
  return [toHex(encryptionKey), toHex(signatureKey)]
}
