import { type Bytes, type Codec, concatBytes, encode, opaque } from '@conclave/core/codec'
import { Reader } from '../../../src/codec/buffers.ts'

/** A variable-size vector or byte string within an encoding, by the offsets of its parts. */
export interface VectorPlace {
  /** Of its length header. */
  readonly at: number
  /** Of its content. */
  readonly start: number
  readonly end: number
  /** Where each item starts; nothing for a byte string. */
  readonly items: readonly number[]
  readonly enclosing: VectorPlace | undefined
}

/** Where the fields of an encoding stand. */
export interface Layout {
  readonly vectors: readonly VectorPlace[]
  readonly numbers: readonly { readonly at: number; readonly size: number }[]
}

/** Decodes, noting what was read where. */
class NotingReader extends Reader {
  readonly vectors: VectorPlace[] = []
  readonly numbers: { at: number; size: number }[] = []
  readonly #bytes: Uint8Array
  #enclosing: VectorPlace | undefined

  constructor(bytes: Uint8Array) {
    super(bytes)
    this.#bytes = bytes
  }

  override uint(size: 1 | 2 | 4): number {
    this.numbers.push({ at: this.#at(), size })
    return super.uint(size)
  }

  override opaque(maxLength: number): Bytes {
    this.vectors.push(this.#placeOf([]))
    return super.opaque(maxLength)
  }

  override vector(maxLength: number, item: () => void): void {
    const items: number[] = []
    const place = this.#placeOf(items)
    this.vectors.push(place)
    const outer = this.#enclosing
    super.vector(maxLength, () => {
      this.#enclosing = place
      items.push(this.#at())
      item()
    })
    this.#enclosing = outer
  }

  #at(): number {
    return (this.#enclosing?.end ?? this.#bytes.length) - this.remaining
  }

  #placeOf(items: readonly number[]): VectorPlace {
    const at = this.#at()
    const size = 1 << ((this.#bytes[at] as number) >> 6)
    let length = (this.#bytes[at] as number) & 0x3f
    for (let i = 1; i < size; i++) length = length * 256 + (this.#bytes[at + i] as number)
    const start = at + size
    return { at, start, end: start + length, items, enclosing: this.#enclosing }
  }
}

/** The layout of an encoding that the codec accepts. */
export function layoutOf(codec: Codec<unknown>, bytes: Uint8Array): Layout {
  const reader = new NotingReader(bytes)
  codec.read(reader)
  return reader
}

/** The encoding with another content in one of its vectors, and the lengths around it right. */
export function withContent(bytes: Uint8Array, place: VectorPlace, content: Uint8Array): Bytes {
  let region = encode(opaque(), content.slice())
  let { at, end, enclosing } = place
  for (; enclosing !== undefined; { at, end, enclosing } = enclosing) {
    const whole = concatBytes(
      bytes.subarray(enclosing.start, at),
      region,
      bytes.subarray(end, enclosing.end),
    )
    region = encode(opaque(), whole)
  }
  return concatBytes(bytes.subarray(0, at), region, bytes.subarray(end))
}
