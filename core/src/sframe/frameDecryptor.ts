import type { Bytes } from '../codec/bytes.ts'
import type { SFrameKey } from './cipher.ts'
import type { ReceivingKey } from './epochKeys.ts'
import type { FrameKeySource, KeyRefusal } from './frameKeys.ts'
import { decodeHeader, type SFrameHeader } from './header.ts'
import {
  CONCLAVE_KID_LAYOUT,
  decodeContext,
  decodeKid,
  type KidLayout,
  type MediaSource,
} from './mlsKeys.ts'
import { ReplayWindow } from './replayWindow.ts'

/**
 * Why a received frame was dropped.
 *
 * - `malformed-header`: no SFrame header, or not in its shortest form; plaintext mostly ends here
 * - `truncated`: shorter than header and tag
 * - `wrong-sender`, `wrong-source`: the KID names another leaf or source than this track's
 * - `wrong-key`: not authentic, and nothing that its leaf has sent in this epoch has been, on whatever
 *   track: whoever sends it may have another base key than we. Tampering looks the same until then
 * - `tampered`: not authentic, though the leaf's base key is ours: it was changed or made by others
 * - `replayed`: its counter was taken before, or lies too far behind
 */
export type DropReason =
  | KeyRefusal
  | 'malformed-header'
  | 'truncated'
  | 'wrong-sender'
  | 'wrong-source'
  | 'wrong-key'
  | 'tampered'
  | 'replayed'

export interface OpenedFrame {
  readonly ok: true
  readonly plaintext: Bytes
  readonly kid: bigint
  readonly ctr: bigint
  readonly epoch: bigint
  /** Whether the plaintext ends in a trailer and the frame's digest is to be listed. */
  readonly isListed: boolean
  /** Whether the key was that of the group that ours continues. */
  readonly isFormer: boolean
}

export type DecryptResult = OpenedFrame | { readonly ok: false; readonly reason: DropReason }

/** The leaf and source whose frames a track may carry. */
export interface ExpectedSender {
  readonly leaf: number
  readonly source: MediaSource
}

/** What a KID says. */
interface KidReading {
  readonly kid: bigint
  readonly leaf: number
  readonly epoch: number
  readonly source: MediaSource
  readonly incarnation: number
  readonly isListed: boolean
}

/**
 * Decrypts what one receiver gets. Whatever arrives, it never throws, and only an authentic frame
 * changes its state.
 */
export class FrameDecryptor {
  readonly #keys: FrameKeySource
  readonly #layout: KidLayout
  readonly #windows = new WeakMap<SFrameKey, ReplayWindow>()
  #lastEpoch: bigint | undefined
  /** The frames of a track mostly have the KID of the one before. */
  #lastRead: KidReading | undefined
  /** May be changed at any time; replay windows outlive the change. */
  expected: ExpectedSender

  constructor(
    keys: FrameKeySource,
    expected: ExpectedSender,
    layout: KidLayout = CONCLAVE_KID_LAYOUT,
  ) {
    this.#keys = keys
    this.expected = expected
    this.#layout = layout
  }

  /** The epoch of the last frame that opened. */
  get lastEpoch(): bigint | undefined {
    return this.#lastEpoch
  }

  /** Opens header, ciphertext and tag of a frame (RFC 9605 §4.4.4). */
  async decrypt(metadata: Bytes, sframe: Bytes): Promise<DecryptResult> {
    const header = decodeHeader(sframe)
    if (header === undefined) return drop('malformed-header')
    const { kid } = header
    const { leaf, epoch, source, incarnation, isListed } = this.#read(kid)
    const { expected } = this
    const isExpected = source === expected.source
    const sender = { leaf, source, incarnation, isListed }
    const former = isExpected ? this.#keys.formerKeyFor?.(epoch, sender, expected.leaf) : undefined
    if (leaf !== expected.leaf && former === undefined) return drop('wrong-sender')
    if (!isExpected) return drop('wrong-source')

    const found = leaf === expected.leaf ? this.#keys.keyFor(epoch, sender) : former
    if (found === undefined) return drop('wrong-sender')
    const open = (key: ReceivingKey) =>
      this.#open(metadata, sframe, header, key, { isListed, isFormer: key === former })
    const opened = found.ok ? await open(found) : found
    if (opened.ok || found === former || former?.ok !== true) return opened
    // The same KID may have been the old group's.
    return await open(former)
  }

  #read(kid: bigint): KidReading {
    if (this.#lastRead?.kid !== kid) {
      const { leaf, epoch, context } = decodeKid(this.#layout, kid)
      this.#lastRead = { kid, leaf, epoch, ...decodeContext(context) }
    }
    return this.#lastRead
  }

  async #open(
    metadata: Bytes,
    sframe: Bytes,
    { kid, ctr, length }: SFrameHeader,
    found: ReceivingKey,
    kind: Pick<OpenedFrame, 'isListed' | 'isFormer'>,
  ): Promise<DecryptResult> {
    if (sframe.length < length + found.key.suite.nt) return drop('truncated')
    if (this.#windows.get(found.key)?.isFresh(ctr) === false) return drop('replayed')

    const headerBytes = sframe.subarray(0, length)
    const ciphertext = sframe.subarray(length)
    const plaintext = await found.key.decrypt(ctr, headerBytes, metadata, ciphertext)
    if (plaintext === undefined) return drop(found.isLeafProven() ? 'tampered' : 'wrong-key')
    const key = found.authenticated()
    if (key === undefined) return drop('unknown-key')
    if (!this.#windowOf(key).take(ctr)) return drop('replayed')
    this.#lastEpoch = found.epoch
    return { ok: true, plaintext, kid, ctr, epoch: found.epoch, ...kind }
  }

  #windowOf(key: SFrameKey): ReplayWindow {
    let window = this.#windows.get(key)
    if (window === undefined) {
      window = new ReplayWindow()
      this.#windows.set(key, window)
    }
    return window
  }
}

function drop(reason: DropReason): DecryptResult {
  return { ok: false, reason }
}
