import { type Bytes, emptyBytes } from '../../codec/bytes.ts'
import { encode } from '../../codec/tls.ts'
import type { Clock } from '../../runtime.ts'
import {
  DigestList,
  MAX_LAYERS,
  MAX_LISTED_FRAMES,
  MAX_STEP,
  SignedDigestList,
} from './digestList.ts'
import { type FrameHash, frameDigest } from './frameDigest.ts'
import { encodeTrailer } from './trailer.ts'

/** After this time a list is signed, whatever it holds, in milliseconds. */
export const LIST_INTERVAL_MS = 1_000
/** Lists of one layer that wait for their signature or for a frame; further ones are dropped. */
export const MAX_WAITING_LISTS = 4

/** Signs the bytes of a list; `undefined` where it cannot be. */
export type SignList = (list: Bytes) => Promise<Bytes | undefined>

/** A frame that was encrypted. */
export interface SentFrame {
  readonly epoch: bigint
  readonly kid: bigint
  readonly ctr: bigint
  readonly metadata: Bytes
  readonly content: Bytes
}

interface OpenList {
  readonly epoch: bigint
  readonly kid: bigint
  readonly first: bigint
  readonly frames: { readonly step: number; readonly digest: Bytes }[]
  last: bigint
  cancelTimer: () => void
}

/** One layer's frames on their way into lists. */
interface Layer {
  readonly id: number
  open: OpenList | undefined
  /** The KID of the last list, and the counter up to which it went. */
  told: { readonly kid: bigint; readonly last: bigint } | undefined
  /** Signed lists, the oldest first. */
  readonly signed: Bytes[]
  waiting: number
}

/**
 * Lists the frames of one source, layer by layer: the digests of about a second of frames are
 * signed, and travel in the layer's next frame that every receiver of the layer gets.
 */
export class FrameLister {
  readonly #clock: Clock
  readonly #hash: FrameHash
  readonly #sign: SignList
  /** The one whose frames ended longest ago first. */
  readonly #layers = new Map<string, Layer>()
  #nextId = 0
  #dropped = 0
  /** Another one when what waits is forgotten. */
  #turn = {}
  #closed = false

  constructor(options: {
    readonly clock: Clock
    readonly hash: FrameHash
    readonly sign: SignList
  }) {
    this.#clock = options.clock
    this.#hash = options.hash
    this.#sign = options.sign
  }

  /** Lists that were never sent: too many waited, or they could not be signed. */
  get dropped(): number {
    return this.#dropped
  }

  /**
   * What the next frame of a layer ends with.
   * @param room how many bytes a list may take; 0 for a frame that the layer's receivers may not get
   */
  trailerOf(name: string, room: number): Bytes {
    const layer = this.#layerOf(name)
    const list = layer.signed[0]
    if (list === undefined || list.length > room) {
      return encodeTrailer({ layer: layer.id, list: emptyBytes })
    }
    layer.signed.shift()
    layer.waiting--
    return encodeTrailer({ layer: layer.id, list })
  }

  /** Has a frame listed that was sent. Frames of one layer are to be told of one after the other. */
  async add(name: string, frame: SentFrame): Promise<void> {
    const layer = this.#layerOf(name)
    const { epoch, kid, ctr, metadata, content } = frame
    const digest = await frameDigest(this.#hash, { kid, ctr, layer: layer.id, metadata, content })
    if (this.#closed) return
    const open = this.#listFor(layer, { epoch, kid, ctr })
    if (open.frames.length > 0 && ctr <= open.last) return
    open.frames.push({ step: Number(ctr - open.last), digest })
    open.last = ctr
    if (open.frames.length === MAX_LISTED_FRAMES) this.#finish(layer)
  }

  /** Forgets what was not sent yet: nobody can verify it any more, and counters may begin anew. */
  reset(): void {
    this.#turn = {}
    for (const layer of this.#layers.values()) {
      layer.open?.cancelTimer()
      layer.open = undefined
      layer.told = undefined
      layer.waiting -= layer.signed.splice(0).length
    }
  }

  close(): void {
    this.#closed = true
    this.reset()
  }

  #layerOf(name: string): Layer {
    const known = this.#layers.get(name)
    const layer = known ?? {
      id: this.#nextId++ % 256,
      open: undefined,
      told: undefined,
      signed: [],
      waiting: 0,
    }
    this.#layers.delete(name)
    this.#layers.set(name, layer)
    if (this.#layers.size > MAX_LAYERS) this.#forgetOldest()
    return layer
  }

  #forgetOldest(): void {
    const [name, layer] = [...this.#layers][0] ?? []
    if (name === undefined || layer === undefined) return
    layer.open?.cancelTimer()
    this.#layers.delete(name)
  }

  /** The list that the frame goes into: each is of one KID, and steps have 16 bits. */
  #listFor(layer: Layer, frame: Pick<SentFrame, 'epoch' | 'kid' | 'ctr'>): OpenList {
    const { epoch, kid, ctr } = frame
    const { open } = layer
    if (open !== undefined && open.kid === kid && ctr - open.last <= MAX_STEP) return open
    this.#finish(layer)
    const { told } = layer
    const follows = told?.kid === kid && told.last < ctr ? told.last + 1n : ctr
    const first = ctr - follows <= MAX_STEP ? follows : ctr
    const cancelTimer = this.#clock.setTimer(LIST_INTERVAL_MS, () => this.#finish(layer))
    layer.open = { epoch, kid, first, frames: [], last: first, cancelTimer }
    return layer.open
  }

  #finish(layer: Layer): void {
    const { open } = layer
    if (open === undefined) return
    open.cancelTimer()
    layer.open = undefined
    layer.told = { kid: open.kid, last: open.last }
    if (layer.waiting >= MAX_WAITING_LISTS) {
      this.#dropped++
      return
    }
    const { epoch, kid, first, frames } = open
    const layers = Uint8Array.from(this.#layers.values(), ({ id }) => id)
    void this.#haveSigned(
      layer,
      encode(DigestList, { epoch, kid, layer: layer.id, layers, first, frames }),
    )
  }

  async #haveSigned(layer: Layer, list: Bytes): Promise<void> {
    const turn = this.#turn
    layer.waiting++
    const signature = await this.#sign(list).catch(() => undefined)
    if (signature === undefined || turn !== this.#turn) {
      layer.waiting--
      this.#dropped++
    } else {
      layer.signed.push(encode(SignedDigestList, { list, signature }))
    }
  }
}
