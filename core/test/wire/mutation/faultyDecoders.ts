import { type Codec, decode, encode, opaque, struct, uint8, vector } from '@conclave/core/codec'
import type { Decoder, Decoders } from './decoder.ts'

/*
 * Decoders with a fault each, of a struct that has a number, a byte string and a list. A detector
 * that does not find the fault would find none in a real decoder either.
 */

const Body = struct({ kind: uint8, name: opaque(), items: vector(opaque()) })
type Body = Parameters<(typeof Body)['write']>[0]

const sample = encode(Body, {
  kind: 1,
  name: Uint8Array.of(1, 2, 3),
  items: [Uint8Array.of(4), Uint8Array.of(5, 6)],
})

function faulty(read: (...args: Parameters<Codec<Body>['read']>) => Body): Decoder {
  return { codec: { write: Body.write, read }, samples: () => [sample] }
}

export const faultyDecoders: Decoders = {
  'that has no fault': faulty((from) => Body.read(from)),
  'that ignores what follows': faulty((from) => {
    const value = Body.read(from)
    from.raw(from.remaining)
    return value
  }),
  'that takes a tag for another': faulty((from) => {
    const value = Body.read(from)
    return value.kind === 0 ? { ...value, kind: 1 } : value
  }),
  'that reads what cannot be written': faulty((from) => {
    const value = Body.read(from)
    return value.kind > 127 ? { ...value, kind: 256 } : value
  }),
  'that throws what is no CodecError': faulty((from) => {
    const value = Body.read(from)
    if (value.items.length === 0) throw new RangeError('no items')
    return value
  }),
  'that blames its caller for its input': faulty((from) => {
    const value = Body.read(from)
    encode(uint8, value.kind > 127 ? -1 : value.kind)
    return value
  }),
  'that never ends': faulty((from) => {
    const value = Body.read(from)
    while (value.kind === 0) decode(uint8, Uint8Array.of(value.kind))
    return value
  }),
  'that reserves what a length claims': faulty((from) => {
    const value = Body.read(from)
    if (value.kind > 127) new Uint8Array(value.kind << 16).fill(1)
    return value
  }),
  'that keeps copies of its input without end': faulty((from) => {
    const value = Body.read(from)
    const copies: number[][] = []
    while (value.kind === 0) copies.push(new Array(2 ** 16).fill(copies.length))
    return value
  }),
}
