import type { Bytes, Codec } from '@conclave/core/codec'

/** A decoder of bytes that anybody may have made. */
export interface Decoder {
  readonly codec: Codec<unknown>
  /** Encodings that it accepts, for damaging them. */
  samples(): readonly Bytes[]
}
export type Decoders = Readonly<Record<string, Decoder>>
