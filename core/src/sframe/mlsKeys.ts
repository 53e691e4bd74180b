import { SFrameError } from './error.ts'

/** `base_key = MLS-Exporter("SFrame 1.0 Base Key", "", AEAD.Nk)` (RFC 9605 §5.2). */
export const BASE_KEY_EXPORTER_LABEL = 'SFrame 1.0 Base Key'

/** How many bits of a KID hold the epoch (E) and the leaf index (S) (RFC 9605 §5.2). */
export interface KidLayout {
  readonly epochBits: number
  readonly leafBits: number
}

/** E = 8, S = 10: what a meeting's `conclave_meeting` extension names. */
export const CONCLAVE_KID_LAYOUT: KidLayout = { epochBits: 8, leafBits: 10 }

/** The number of a source is its position. */
const SOURCES = ['microphone', 'camera', 'screen', 'screen-audio'] as const

export type MediaSource = (typeof SOURCES)[number]

/** The bit of a context's source that says that the frames' digests are listed. */
const LISTED = 4
const SOURCE_BITS = 3

/**
 * Who encrypts under a KID. The incarnation grows with every rebuild of a sender's frame encryptor
 * and every restore within an epoch, so that no counter is used twice.
 */
export interface FrameSender {
  readonly leaf: number
  readonly source: MediaSource
  readonly incarnation: number
  /** Whether the frames end in a trailer and their digests are in signed lists. */
  readonly isListed: boolean
}

/** The three parts of an MLS sender's KID; `epoch` is its low-order E bits. */
export interface KidParts {
  readonly context: bigint
  readonly leaf: number
  readonly epoch: number
}

/**
 * `KID = (context << (S + E)) + (sender_index << E) + (epoch % (1 << E))` (RFC 9605 §5.2).
 *
 *      64-S-E bits   S bits   E bits
 *     <-----------> <------> <------>
 *     +-------------+--------+-------+
 *     | Context ID  | Index  | Epoch |
 *     +-------------+--------+-------+
 *
 * @throws SFrameError `sframe-leaf-out-of-range`, or `sframe-value-out-of-range` for the context
 */
export function encodeKid(
  layout: KidLayout,
  { context, leaf, epoch }: { context: bigint; leaf: number; epoch: bigint },
): bigint {
  checkLeaf(layout, leaf)
  const contextBits = 64 - layout.leafBits - layout.epochBits
  if (context < 0n || context >> BigInt(contextBits) !== 0n) {
    throw new SFrameError('sframe-value-out-of-range', `a KID's context has ${contextBits} bits`)
  }
  const index = (context << BigInt(layout.leafBits)) | BigInt(leaf)
  return (index << BigInt(layout.epochBits)) | BigInt(epochInKid(layout, epoch))
}

/** Undoes {@link encodeKid}; every 64-bit KID has one reading. */
export function decodeKid(layout: KidLayout, kid: bigint): KidParts {
  const index = kid >> BigInt(layout.epochBits)
  return {
    epoch: epochInKid(layout, kid),
    leaf: Number(BigInt.asUintN(layout.leafBits, index)),
    context: index >> BigInt(layout.leafBits),
  }
}

/** The low-order E bits of an epoch. */
export function epochInKid(layout: KidLayout, epoch: bigint): number {
  return Number(BigInt.asUintN(layout.epochBits, epoch))
}

/** @throws SFrameError `sframe-leaf-out-of-range` where `leaf` does not fit into S bits */
export function checkLeaf(layout: KidLayout, leaf: number): void {
  if (!Number.isInteger(leaf) || leaf < 0 || leaf >= 2 ** layout.leafBits) {
    throw new SFrameError(
      'sframe-leaf-out-of-range',
      `leaf ${leaf} does not fit into ${layout.leafBits} bits of a KID`,
    )
  }
}

/**
 * `context = (incarnation << 3) | source`: a frame moved to another track has another key, and so has
 * one whose digest is listed, of which the source has 4 added to it.
 *
 * @throws SFrameError `sframe-value-out-of-range` where the incarnation is no unsigned integer
 */
export function encodeContext({
  source,
  incarnation,
  isListed,
}: Omit<FrameSender, 'leaf'>): bigint {
  if (!Number.isSafeInteger(incarnation) || incarnation < 0) {
    throw new SFrameError('sframe-value-out-of-range', 'an incarnation is an unsigned integer')
  }
  const number = SOURCES.indexOf(source) | (isListed ? LISTED : 0)
  return (BigInt(incarnation) << BigInt(SOURCE_BITS)) | BigInt(number)
}

/** Undoes {@link encodeContext}; every context has one reading. */
export function decodeContext(context: bigint): Omit<FrameSender, 'leaf'> {
  const number = Number(BigInt.asUintN(SOURCE_BITS, context))
  return {
    source: SOURCES[number & ~LISTED] as MediaSource,
    incarnation: Number(context >> BigInt(SOURCE_BITS)),
    isListed: (number & LISTED) !== 0,
  }
}
