import { type Bytes, concatBytes, emptyBytes, fromHex, utf8 } from '../../src/codec/bytes.ts'

// Encodings byte by byte, so that they can be wrong in ways that no library writes.

/** An element of X.690, with its length in the shortest form. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Bytes {
  const content = concatBytes(...contents)
  const size = Number(content.length).toString(16)
  const octets = fromHex(size.padStart(size.length + (size.length % 2), '0'))
  const length = content.length < 0x80 ? octets : Uint8Array.of(0x80 + octets.length, ...octets)
  return concatBytes(Uint8Array.of(tag), length, content)
}

export const sequence = (...contents: readonly Uint8Array[]) => element(0x30, ...contents)
export const integer = (...octets: readonly number[]) => element(0x02, Uint8Array.from(octets))
export const oid = (...octets: readonly number[]) => element(0x06, Uint8Array.from(octets))
export const bits = (unused: number, content = emptyBytes) =>
  element(0x03, Uint8Array.of(unused), content)
export const utcTime = (text: string) => element(0x17, utf8(text))
export const generalizedTime = (text: string) => element(0x18, utf8(text))

export const ed25519 = sequence(oid(0x2b, 0x65, 0x70))
export const now = utcTime('260101000000Z')

/** A subject's common name, of the type with that tag. */
export function commonName(text: Uint8Array, tag = 0x0c): Bytes {
  return sequence(element(0x31, sequence(oid(0x55, 0x04, 0x03), element(tag, text))))
}

export function extension(of: readonly number[], value: Uint8Array, ...critical: Bytes[]): Bytes {
  return sequence(oid(0x55, 0x1d, ...of), ...critical, element(0x04, value))
}

/** A certificate's parts, each of which may be put in another form. */
export interface Parts {
  readonly version?: Bytes
  readonly serialNumber?: Bytes
  readonly algorithm?: Bytes
  readonly validity?: Bytes
  readonly subject?: Bytes
  readonly publicKey?: Bytes
  readonly extensions?: Bytes
  /** What follows where nothing may: in the signed part, and in the certificate. */
  readonly signedExtra?: Bytes
  readonly extra?: Bytes
  readonly signature?: Bytes
}

export function certificateOf(parts: Parts): Bytes {
  const { algorithm = ed25519, subject = commonName(utf8('Ann')), extensions } = parts
  return sequence(
    sequence(
      parts.version ?? element(0xa0, integer(2)),
      parts.serialNumber ?? integer(1),
      algorithm,
      commonName(utf8('Root')),
      parts.validity ?? sequence(now, now),
      subject,
      parts.publicKey ?? sequence(ed25519, bits(0, new Uint8Array(32))),
      ...(extensions ? [element(0xa3, extensions)] : []),
      parts.signedExtra ?? emptyBytes,
    ),
    algorithm,
    parts.signature ?? bits(0, new Uint8Array(64)),
    parts.extra ?? emptyBytes,
  )
}

/** A revocation list with these entries, or without a place for any. */
export function listOf(entries: readonly Uint8Array[] | undefined, next: Bytes = now): Bytes {
  const revoked = entries === undefined ? emptyBytes : sequence(...entries)
  const signed = sequence(integer(1), ed25519, commonName(utf8('Root')), now, next, revoked)
  return sequence(signed, ed25519, bits(0, new Uint8Array(64)))
}
