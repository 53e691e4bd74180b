import { type Bytes, concatBytes, emptyBytes } from '@conclave/core/codec'
import { decodeHeader } from '@conclave/core/sframe'
import type { CodecRule } from './codecRule.ts'
import {
  encodeUnitHeader,
  makeUnit,
  type OpenBitstreamUnit,
  readUnits,
} from './openBitstreamUnits.ts'

/** Types of OBUs (AV1 §6.2.2). */
const METADATA = 5
/** Temporal delimiter, tile list, padding: RTP does not carry them (AV1 RTP payload format §5). */
const NOT_CARRIED: ReadonlySet<number> = new Set([2, 8, 15])

/** A metadata type for private use (AV1 §6.7.1), of which decoders ignore what they do not know. */
const METADATA_TYPE = 24
/** Closes the metadata, as trailing bits do (AV1 §5.3.4). */
const CLOSING_BYTE = 0x80

/**
 * AV1 in low-overhead form. The packetizer splits at OBUs and rewrites their size fields, so their
 * headers stay in clear, and each payload is replaced by as many bytes of ciphertext:
 *
 *     | OBU header, size | ciphertext | … | metadata OBU: type 24, SFrame header, tag, 80 |
 *
 * All payloads are one message. Authenticated are the headers with a size field of the shortest
 * form. OBUs that RTP does not carry are left out, so that a frame arrives as it would without
 * encryption.
 */
export const av1: CodecRule = {
  mimeType: 'video/av1',

  split(frame) {
    const units = readUnits(frame)?.filter(({ type }) => !NOT_CARRIED.has(type))
    if (units === undefined || units.length === 0) return undefined
    const headers = units.map(encodeUnitHeader)
    const secret = concatBytes(...units.map(({ payload }) => payload))
    return {
      metadata: concatBytes(...headers),
      secret,
      lead: emptyBytes,
      join(sframe) {
        const start = decodeHeader(sframe)?.length ?? 0
        const end = start + secret.length
        const [header, tag] = [sframe.subarray(0, start), sframe.subarray(end)]
        const closing = [Uint8Array.of(METADATA_TYPE), header, tag, Uint8Array.of(CLOSING_BYTE)]
        const metadata = makeUnit(METADATA, concatBytes(...closing))
        return concatBytes(
          ...fill(units, headers, sframe.subarray(start, end)),
          encodeUnitHeader(metadata),
          metadata.payload,
        )
      },
    }
  },

  parse(frame) {
    const units = readUnits(frame)
    const closing = units?.pop()
    if (units === undefined || units.length === 0 || closing?.type !== METADATA) return undefined
    const { payload } = closing
    if (payload[0] !== METADATA_TYPE || payload.at(-1) !== CLOSING_BYTE) return undefined
    const headerAndTag = payload.subarray(1, -1)
    const header = decodeHeader(headerAndTag)
    if (header === undefined) return undefined
    const headers = units.map(encodeUnitHeader)
    return {
      metadata: concatBytes(...headers),
      sframe: concatBytes(
        headerAndTag.subarray(0, header.length),
        ...units.map((unit) => unit.payload),
        headerAndTag.subarray(header.length),
      ),
      restore: (secret) => concatBytes(...fill(units, headers, secret)),
    }
  },
}

/** The headers, each with as many bytes of `content` as its unit's payload had. */
function fill(
  units: readonly OpenBitstreamUnit[],
  headers: readonly Bytes[],
  content: Bytes,
): Bytes[] {
  let at = 0
  return units.flatMap(({ payload }, i) => {
    const start = at
    at += payload.length
    return [headers[i] as Bytes, content.subarray(start, at)]
  })
}
