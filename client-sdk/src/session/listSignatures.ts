import { type Bytes, equalBytes } from '@conclave/core/codec'
import { verifyWithLabel } from '@conclave/core/crypto/public'
import type { Group } from '@conclave/core/mls/group'
import {
  CONCLAVE_KID_LAYOUT,
  decodeContext,
  decodeDigestList,
  decodeKid,
  digestListLabel,
  digestListTbs,
  type ListJudgement,
  type SignedDigestList,
} from '@conclave/core/sframe'
import type { LeafIndex } from '@conclave/core/wire'
import type { ListSignatures } from '../media/index.ts'

/** Epochs whose leaves are remembered: keys of media live ten seconds, and epochs may follow fast. */
const maxEpochs = 64

interface KnownEpoch extends Pick<Group['public'], 'crypto' | 'tree'> {
  readonly groupId: Bytes
}

/** Signs and judges lists of frames' digests with the leaves of the epochs that frames may be of. */
export class EpochListSignatures implements ListSignatures {
  readonly #currentGroup: () => Group | undefined
  /** The newest last. */
  readonly #epochs = new Map<bigint, KnownEpoch>()

  /** @param currentGroup the group of the current epoch; undefined once the session has ended */
  constructor(currentGroup: () => Group | undefined) {
    this.#currentGroup = currentGroup
  }

  epochBegan({ epoch, groupId, public: { crypto, tree } }: Group): void {
    this.#epochs.set(epoch, { groupId, crypto, tree })
    if (this.#epochs.size > maxEpochs) {
      const [oldest] = this.#epochs.keys()
      if (oldest !== undefined) this.#epochs.delete(oldest)
    }
  }

  /** Another group is the meeting's now; lists of the old one's epochs are not looked at any more. */
  continued(group: Group): void {
    this.#epochs.clear()
    this.epochBegan(group)
  }

  async sign(list: Bytes): Promise<Bytes | undefined> {
    const named = readNames(list)
    const group = this.#currentGroup()
    const known = named && this.#epochs.get(named.epoch)
    if (named === undefined || known === undefined || group === undefined) return undefined
    if (named.leaf !== group.leafIndex || !equalBytes(known.groupId, group.groupId))
      return undefined
    // What the leaf signed with in that epoch it signs with now.
    const then = signatureKeyIn(known, named.leaf)
    const now = group.public.tree.leafNode(group.leafIndex)?.signatureKey
    if (then === undefined || now === undefined || !equalBytes(then, now)) return undefined
    return await group.sign(digestListLabel, digestListTbs(group.groupId, list))
  }

  async judge({ list, signature }: SignedDigestList): Promise<ListJudgement> {
    const named = readNames(list)
    if (named === undefined) return 'invalid'
    const known = this.#epochs.get(named.epoch)
    const key = known && signatureKeyIn(known, named.leaf)
    if (known === undefined || key === undefined) return 'unknown-signer'
    const content = digestListTbs(known.groupId, list)
    const isValid = await verifyWithLabel(known.crypto, key, digestListLabel, content, signature)
    return isValid ? 'valid' : 'invalid'
  }
}

/** The epoch and the leaf that a list is of; `undefined` where it is none of listed frames. */
function readNames(list: Bytes): { readonly epoch: bigint; readonly leaf: number } | undefined {
  const read = decodeDigestList(list)
  if (read === undefined) return undefined
  const { leaf, epoch, context } = decodeKid(CONCLAVE_KID_LAYOUT, read.kid)
  const isOfEpoch = epoch === Number(BigInt.asUintN(CONCLAVE_KID_LAYOUT.epochBits, read.epoch))
  return isOfEpoch && decodeContext(context).isListed ? { epoch: read.epoch, leaf } : undefined
}

function signatureKeyIn({ tree }: KnownEpoch, leaf: number): Bytes | undefined {
  return tree.leafNode(leaf as LeafIndex)?.signatureKey
}
