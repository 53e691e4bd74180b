import { maxVectorLength, Reader, Writer } from './buffers.ts'
import type { Bytes } from './bytes.ts'
import { CodecError } from './codecError.ts'

/**
 * The TLS presentation language (RFC 8446 §3) with RFC 9420 §2.1's optional and variable-size
 * vectors. One declaration gives a struct's type, encoder and decoder:
 *
 *     export const HpkeCiphertext = struct({ kemOutput: opaque(), ciphertext: opaque() })
 *     export type HpkeCiphertext = Infer<typeof HpkeCiphertext>
 *
 * Every value has exactly one encoding, and decoding accepts no other.
 */
export interface Codec<T> {
  write(value: T, to: Writer): void
  read(from: Reader): T
  /**
   * For codecs of structs: reads the fields into an object that may have others already, so that a
   * struct made of several is one object from the beginning.
   */
  readInto?(target: Record<string, unknown>, from: Reader): void
}

export type Infer<C> = C extends Codec<infer T> ? T : never

/** @throws CodecError `codec-unencodable` if a number, length or case is not a declared one. */
export function encode<T>(codec: Codec<T>, value: T): Bytes {
  return written((writer) => {
    codec.write(value, writer)
    return writer.finish()
  })
}

/**
 * What `use` makes of an encoding without keeping it: to hash one takes less time than to copy it.
 * The bytes are overwritten afterwards.
 * @throws CodecError `codec-unencodable`
 */
export function encodeFor<T, R>(codec: Codec<T>, value: T, use: (encoding: Bytes) => R): R {
  return written((writer) => {
    codec.write(value, writer)
    return use(writer.view)
  })
}

/**
 * The encoding of each value, all of them in one buffer: for many that are kept or dropped together.
 * @throws CodecError `codec-unencodable`
 */
export function encodeEach<T>(codec: Codec<T>, values: readonly T[]): readonly Bytes[] {
  return written((writer) => {
    const ends = values.map((value) => {
      codec.write(value, writer)
      return writer.length
    })
    const all = writer.finish()
    return ends.map((end, i) => all.subarray(ends[i - 1] ?? 0, end))
  })
}

function written<R>(write: (writer: Writer) => R): R {
  const writer = new Writer()
  try {
    return write(writer)
  } finally {
    writer.release()
  }
}

/** @throws CodecError with any of its codes but `codec-unencodable`. */
export function decode<T>(codec: Codec<T>, bytes: Uint8Array): T {
  const reader = new Reader(bytes)
  const value = codec.read(reader)
  reader.finish()
  return value
}

/**
 * The value that `bytes` begin with, whatever follows.
 * @throws CodecError with any of its codes but `codec-unencodable` and `codec-trailing-bytes`.
 */
export function decodePrefix<T>(codec: Codec<T>, bytes: Uint8Array): T {
  return codec.read(new Reader(bytes))
}

function unsigned(size: 1 | 2 | 4): Codec<number> {
  return {
    write: (value, to) => to.uint(value, size),
    read: (from) => from.uint(size),
  }
}

export const uint8 = unsigned(1)
export const uint16 = unsigned(2)
export const uint32 = unsigned(4)
export const uint64: Codec<bigint> = {
  write: (value, to) => to.uint64(value),
  read: (from) => from.uint64(),
}

/** `opaque value<V>`, at most `maxLength` bytes. */
export function opaque(maxLength = maxVectorLength): Codec<Bytes> {
  return {
    write: (value, to) => {
      if (value.length > maxLength) {
        throw new CodecError('codec-unencodable', `${value.length} of at most ${maxLength} bytes`)
      }
      to.opaque(value)
    },
    read: (from) => from.opaque(maxLength),
  }
}

/** `opaque value[length]` */
export function fixedOpaque(length: number): Codec<Bytes> {
  return {
    write: (value, to) => {
      if (value.length !== length) {
        throw new CodecError('codec-unencodable', `${value.length} bytes instead of ${length}`)
      }
      to.raw(value)
    },
    read: (from) => from.raw(length),
  }
}

/** `T values<V>`, at most `maxCount` items. */
export function vector<T>(item: Codec<T>, maxCount = maxVectorLength): Codec<readonly T[]> {
  return {
    write: (values, to) => {
      if (values.length > maxCount) {
        throw new CodecError('codec-unencodable', `${values.length} of at most ${maxCount} items`)
      }
      to.vector(() => {
        for (const value of values) item.write(value, to)
      })
    },
    read: (from) => {
      const values: T[] = []
      from.vector(maxVectorLength, () => {
        if (values.length === maxCount) {
          throw new CodecError('codec-too-long', `more than ${maxCount} items`)
        }
        values.push(item.read(from))
      })
      return values
    },
  }
}

/** `optional<T>` (RFC 9420 §2.1.1): any presence octet but 0 and 1 is malformed. */
export function optional<T>(present: Codec<T>): Codec<T | undefined> {
  return {
    write: (value, to) => {
      to.uint(value === undefined ? 0 : 1, 1)
      if (value !== undefined) present.write(value, to)
    },
    read: (from) => {
      const presence = from.uint(1)
      if (presence > 1) throw new CodecError('codec-unknown-case', `presence octet ${presence}`)
      return presence === 1 ? present.read(from) : undefined
    },
  }
}

/** An enumerated value of which only the listed ones are legal. */
export function oneOf<const T extends number>(
  width: Codec<number>,
  values: readonly T[],
): Codec<T> {
  const legal = new Set<number>(values)
  return {
    write: (value, to) => {
      if (!legal.has(value)) throw new CodecError('codec-unencodable', `no case ${value}`)
      width.write(value, to)
    },
    read: (from) => {
      const value = width.read(from)
      if (!legal.has(value)) throw new CodecError('codec-unknown-case', `no case ${value}`)
      return value as T
    },
  }
}

type Fields = Readonly<Record<string, Codec<unknown>>>
type StructOf<F extends Fields> = { readonly [K in keyof F]: Infer<F[K]> }

/** A codec of structs, from how it writes one and how it reads one's fields. */
function structCodec<T extends object>(
  write: Codec<T>['write'],
  readInto: (target: Record<string, unknown>, from: Reader) => void,
): Codec<T> {
  return {
    write,
    read: (from) => {
      const value = {}
      readInto(value, from)
      return value as T
    },
    readInto,
  }
}

function readFields(codec: Codec<object>, target: Record<string, unknown>, from: Reader): void {
  if (codec.readInto === undefined) Object.assign(target, codec.read(from))
  else codec.readInto(target, from)
}

/** A struct's fields in the order they are declared. */
export function struct<F extends Fields>(fields: F): Codec<StructOf<F>> {
  const names = Object.keys(fields)
  const codecs = Object.values(fields)
  return structCodec(
    (value, to) => {
      for (let i = 0; i < names.length; i++) {
        codecs[i]?.write(value[names[i] as string], to)
      }
    },
    (target, from) => {
      for (let i = 0; i < names.length; i++) {
        target[names[i] as string] = codecs[i]?.read(from)
      }
    },
  )
}

type Flat<T> = { [K in keyof T]: T[K] }
type Cases = Readonly<Record<number, Codec<object>>>
type VariantOf<Tag extends string, C extends Cases> = {
  [K in keyof C & number]: Flat<{ readonly [T in Tag]: K } & Infer<C[K]>>
}[keyof C & number]

/**
 * A struct whose first field selects the rest: `select (tag) { case …: … }`. The cases become a
 * discriminated union on `tag`; a tag without a case is malformed.
 */
export function variant<Tag extends string, C extends Cases>(
  tag: Tag,
  width: Codec<number>,
  cases: C,
): Codec<VariantOf<Tag, C>> {
  const byTag = new Map<number, Codec<object>>(
    Object.entries(cases).map(([key, codec]) => [Number(key), codec]),
  )
  return structCodec(
    (value, to) => {
      const chosen = (value as Record<string, number>)[tag] as number
      const codec = byTag.get(chosen)
      if (codec === undefined) throw new CodecError('codec-unencodable', `${tag} ${chosen}`)
      width.write(chosen, to)
      codec.write(value, to)
    },
    (target, from) => {
      const chosen = width.read(from)
      const codec = byTag.get(chosen)
      if (codec === undefined) throw new CodecError('codec-unknown-case', `${tag} ${chosen}`)
      target[tag] = chosen
      readFields(codec, target, from)
    },
  )
}

/** A struct that continues `first` with fields whose form depends on what `first` holds. */
export function extend<A extends object, B extends object>(
  first: Codec<A>,
  rest: (value: A) => Codec<B>,
): Codec<Flat<A & B>> {
  return structCodec<Flat<A & B>>(
    (value, to) => {
      first.write(value, to)
      rest(value).write(value, to)
    },
    (target, from) => {
      readFields(first, target, from)
      readFields(rest(target as A), target, from)
    },
  )
}

/**
 * `codec`, which writes a value that it has read by the bytes that it was read from: for what its
 * receiver encodes several times, to verify a signature, a MAC and a hash of it. Values are never
 * changed, and have one encoding.
 */
export function keepingBytes<T extends object>(codec: Codec<T>): Codec<T> {
  const kept = new WeakMap<T, Bytes>()
  return {
    write: (value, to) => {
      const bytes = kept.get(value)
      if (bytes === undefined) codec.write(value, to)
      else to.raw(bytes)
    },
    read: (from) => {
      const start = from.position
      const value = codec.read(from)
      kept.set(value, from.since(start))
      return value
    },
  }
}

/** `struct {}` */
export const empty: Codec<object> = struct({})
