import { type Bytes, equalBytes } from '../../codec/bytes.ts'
import type { Clock } from '../../runtime.ts'
import type { ExpectedSender, OpenedFrame } from '../frameDecryptor.ts'
import { CONCLAVE_KID_LAYOUT, decodeContext, decodeKid, epochInKid } from '../mlsKeys.ts'
import {
  type DigestList,
  decodeDigestList,
  decodeSignedList,
  listedFrames,
  type SignedDigestList,
} from './digestList.ts'
import { DOUBT_MEMORY_MS, LIST_PATIENCE_MS, type MediaVerdict, verdictOf } from './verdict.ts'

/** How many of a track's frames are remembered, and how many of its lists. */
export const MAX_WITNESSED_FRAMES = 512
const MAX_KEPT_LISTS = 8
/** Signatures of one track that are verified in a second, and at the same time. */
export const MAX_LISTS_PER_SECOND = 8
export const MAX_LISTS_UNDER_WAY = 4

/** `unknown-signer` where nobody is known to have that leaf in that epoch. */
export type ListJudgement = 'valid' | 'invalid' | 'unknown-signer'

/** Whether the leaf that a list's KID names has signed it. */
export type VerifyList = (signed: SignedDigestList) => Promise<ListJudgement>

/** A listed frame that opened. */
export interface OpenedListedFrame extends Pick<OpenedFrame, 'epoch' | 'kid' | 'ctr' | 'isFormer'> {
  readonly layer: number
  readonly digest: Bytes
}

/** What became of one track's frames; counters are of frames and lists since it is received. */
export interface AuthenticityStats {
  readonly verdict: MediaVerdict
  readonly proven: number
  readonly forged: number
  /** Lists that were not the sender's, or no lists. */
  readonly listsRefused: number
  /** Lists that were not looked at: too many came. */
  readonly listsDropped: number
}

interface Witnessed extends OpenedListedFrame {
  readonly at: number
  isProven: boolean
  isForged: boolean
}

interface KeptList {
  readonly list: DigestList
  readonly listed: ReadonlyMap<bigint, Bytes>
  readonly last: bigint
}

/** Compares the frames that one receiver opened with the lists that their sender has signed. */
export class FrameAudit {
  readonly #clock: Clock
  readonly #verify: VerifyList
  #frames: Witnessed[] = []
  #lists: KeptList[] = []
  /** When lists were last taken to be verified. */
  #takenAt: number[] = []
  #underWay = 0
  #turn = {}
  #listedEpoch: bigint | undefined
  #unlisted: { readonly epoch: bigint; readonly at: number } | undefined
  #forgedAt: number | undefined
  #doubtedAt: number | undefined
  #proven = 0
  #forged = 0
  #listsRefused = 0
  #listsDropped = 0

  constructor(options: { readonly clock: Clock; readonly verify: VerifyList }) {
    this.#clock = options.clock
    this.#verify = options.verify
  }

  /** A frame opened whose sender lists it. */
  opened(frame: OpenedListedFrame): void {
    const at = this.#clock.now()
    const witnessed = { ...frame, at, isProven: false, isForged: false }
    if (this.#isOutOfTime(witnessed)) this.#doubtedAt = at
    this.#frames.push(witnessed)
    if (this.#frames.length > MAX_WITNESSED_FRAMES) this.#frames.shift()
    for (const kept of this.#lists) this.#compare(witnessed, kept)
    if (frame.isFormer) return
    const { epoch } = frame
    if (this.#listedEpoch === undefined || epoch > this.#listedEpoch) this.#listedEpoch = epoch
    const unlisted = this.#unlisted
    if (unlisted?.epoch === epoch && at - unlisted.at < DOUBT_MEMORY_MS) {
      this.#doubtedAt = unlisted.at
    }
  }

  /** A frame opened that its sender does not list: who lists frames lists all of an epoch's. */
  openedUnlisted({ epoch, isFormer }: Pick<OpenedFrame, 'epoch' | 'isFormer'>): void {
    const at = this.#clock.now()
    const newest = this.#listedEpoch
    if (newest !== undefined && (isFormer || epoch <= newest)) this.#doubtedAt = at
    else if (!isFormer) this.#unlisted = { epoch, at }
  }

  /** A frame of this sender carried a list. Whose it is the signature decides. */
  async received(bytes: Bytes, expected: ExpectedSender): Promise<void> {
    const signed = decodeSignedList(bytes)
    const list = signed && decodeDigestList(signed.list)
    if (signed === undefined || list === undefined || !isOf(list, expected)) {
      this.#refuse()
      return
    }
    if (!this.#take()) {
      this.#listsDropped++
      return
    }
    const turn = this.#turn
    const judgement = await this.#verify(signed)
    this.#underWay--
    if (turn !== this.#turn) return
    if (judgement === 'valid') this.#keep(list)
    else if (judgement === 'invalid') this.#refuse()
  }

  /** Another sender is expected, or has another leaf: what was known is of no use for it. */
  reset(): void {
    this.#turn = {}
    this.#frames = []
    this.#lists = []
    this.#listedEpoch = undefined
    this.#unlisted = undefined
    this.#forgedAt = undefined
    this.#doubtedAt = undefined
  }

  stats(): AuthenticityStats {
    return {
      verdict: this.#verdict(),
      proven: this.#proven,
      forged: this.#forged,
      listsRefused: this.#listsRefused,
      listsDropped: this.#listsDropped,
    }
  }

  #verdict(): MediaVerdict {
    const listedEpoch = this.#listedEpoch
    const isListing =
      listedEpoch !== undefined && (this.#unlisted?.epoch ?? listedEpoch) <= listedEpoch
    const [forgedAt, doubtedAt, frames] = [this.#forgedAt, this.#doubtedAt, this.#frames]
    return verdictOf({ isListing, forgedAt, doubtedAt, frames }, this.#clock.now())
  }

  #take(): boolean {
    const now = this.#clock.now()
    this.#takenAt = this.#takenAt.filter((at) => now - at < 1_000)
    if (this.#underWay >= MAX_LISTS_UNDER_WAY) return false
    if (this.#takenAt.length >= MAX_LISTS_PER_SECOND) return false
    this.#takenAt.push(now)
    this.#underWay++
    return true
  }

  #refuse(): void {
    this.#listsRefused++
    this.#doubtedAt = this.#clock.now()
  }

  #keep(list: DigestList): void {
    const listed = listedFrames(list)
    const kept = { list, listed, last: [...listed.keys()].at(-1) ?? list.first }
    this.#lists.push(kept)
    if (this.#lists.length > MAX_KEPT_LISTS) this.#lists.shift()
    for (const frame of this.#frames) this.#compare(frame, kept)
  }

  /**
   * Whether frames of a layer do not come as a sender makes them: one that no list has told of is
   * still ahead of those that come seconds later, or one is older than all that is told of.
   */
  #isOutOfTime(frame: Witnessed): boolean {
    const { at, ctr } = frame
    const isOvertaken = this.#frames.some(
      (other) =>
        !other.isProven &&
        other.ctr > ctr &&
        at - other.at >= LIST_PATIENCE_MS &&
        isOfOneRun(other, frame),
    )
    if (isOvertaken) return true
    const told = this.#lists.filter(({ list }) => isOfOneRun(list, frame))
    return told.length > 0 && told.every(({ list }) => list.first > ctr)
  }

  /** A list has every frame of its layer in its range, and tells which other layers have any. */
  #compare(frame: Witnessed, { list, listed, last }: KeptList): void {
    const { epoch, kid, ctr, layer, digest } = frame
    if (frame.isProven || frame.isForged || frame.isFormer) return
    if (kid !== list.kid || epoch !== list.epoch || ctr < list.first || ctr > last) return
    const said = listed.get(ctr)
    if (layer === list.layer && said !== undefined && equalBytes(said, digest)) {
      frame.isProven = true
      this.#proven++
    } else if (layer === list.layer || said !== undefined || !list.layers.includes(layer)) {
      frame.isForged = true
      this.#forged++
      this.#forgedAt = this.#clock.now()
    }
  }
}

/** What a layer's counters run through under one key. */
type Run = Pick<DigestList, 'epoch' | 'kid' | 'layer'>

function isOfOneRun(a: Run, b: Run): boolean {
  return a.kid === b.kid && a.epoch === b.epoch && a.layer === b.layer
}

/** Whether the list tells of that sender's frames. */
function isOf({ kid, epoch }: DigestList, expected: ExpectedSender): boolean {
  const parts = decodeKid(CONCLAVE_KID_LAYOUT, kid)
  const { source, isListed } = decodeContext(parts.context)
  const isEpochs = parts.epoch === epochInKid(CONCLAVE_KID_LAYOUT, epoch)
  return isEpochs && isListed && parts.leaf === expected.leaf && source === expected.source
}
