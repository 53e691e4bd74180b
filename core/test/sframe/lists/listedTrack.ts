import { type Bytes, concatBytes, equalBytes, utf8 } from '@conclave/core/codec'
import {
  CONCLAVE_KID_LAYOUT,
  encodeContext,
  encodeKid,
  FrameAudit,
  type FrameHash,
  FrameLister,
  frameDigest,
  type ListJudgement,
  type SignedDigestList,
  splitTrailer,
} from '@conclave/core/sframe'
import { sha256 } from '@noble/hashes/sha2.js'
import { VirtualClock } from '../../virtualClock.ts'

export const hash: FrameHash = async (data) => Uint8Array.from(sha256(data))

/** Stands in for a signature: what only its holder's key makes of the list. */
export function signatureOf(list: Bytes, key = 'alice'): Bytes {
  return Uint8Array.from(sha256(concatBytes(utf8(key), list)))
}

export async function judge({ list, signature }: SignedDigestList): Promise<ListJudgement> {
  return equalBytes(signature, signatureOf(list)) ? 'valid' : 'invalid'
}

export const camera = { leaf: 3, source: 'camera' } as const

export function kidOf(epoch: bigint, incarnation = 0): bigint {
  const context = encodeContext({ source: 'camera', incarnation, isListed: true })
  return encodeKid(CONCLAVE_KID_LAYOUT, { context, leaf: camera.leaf, epoch })
}

/** A frame as it left the sender, in the clear: what the SFrame around it does is not in question. */
export interface TestFrame {
  readonly layer: string
  readonly epoch: bigint
  readonly kid: bigint
  readonly ctr: bigint
  readonly metadata: Bytes
  readonly plaintext: Bytes
}

/** Alice's lister and Bob's audit of one of her tracks, and the time between. */
export class ListedTrack {
  readonly clock = new VirtualClock()
  readonly lister: FrameLister
  readonly audit: FrameAudit
  readonly #verify: typeof judge
  epoch = 1n
  ctr = 0n
  incarnation = 0
  /** How often Bob has been asked to verify. */
  verified = 0

  constructor(verify: typeof judge = judge) {
    this.#verify = verify
    const { clock } = this
    this.lister = new FrameLister({ clock, hash, sign: async (list) => signatureOf(list) })
    this.audit = new FrameAudit({
      clock,
      verify: (signed) => {
        this.verified++
        return this.#verify(signed)
      },
    })
  }

  /** The next frame, after `ms`. */
  async send(
    options: {
      readonly layer?: string
      readonly ms?: number
      readonly room?: number
      readonly content?: Bytes
    } = {},
  ): Promise<TestFrame> {
    const { layer = 'only', ms = 33, room = 900 } = options
    await this.clock.advanceAsync(ms)
    const { epoch } = this
    const ctr = this.ctr++
    const kid = kidOf(epoch, this.incarnation)
    const content = options.content ?? utf8(`frame ${ctr}`)
    const metadata = Uint8Array.of(1, 2)
    const plaintext = concatBytes(content, this.lister.trailerOf(layer, room))
    await this.lister.add(layer, { epoch, kid, ctr, metadata, content })
    return { layer, epoch, kid, ctr, metadata, plaintext }
  }

  /** Bob opens the frame. */
  async receive({ epoch, kid, ctr, metadata, plaintext }: TestFrame): Promise<void> {
    const trailed = splitTrailer(plaintext)
    if (trailed === undefined) throw new Error('no trailer')
    const { content, layer, list } = trailed
    const digest = await frameDigest(hash, { kid, ctr, layer, metadata, content })
    this.audit.opened({ epoch, kid, ctr, layer, digest, isFormer: false })
    if (list.length > 0) await this.audit.received(list, camera)
  }

  /** Sends and receives frames, the time of a frame apart. */
  async run(frames: number, options: { readonly layer?: string; readonly ms?: number } = {}) {
    for (let i = 0; i < frames; i++) await this.receive(await this.send(options))
  }
}
