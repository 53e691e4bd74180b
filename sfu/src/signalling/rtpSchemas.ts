import {
  type DtlsParameters,
  fingerprintAlgorithms,
  type RtpCapabilities,
  type RtpHeaderExtensionUri,
  type RtpParameters,
  rtpHeaderExtensions,
} from '@conclave/core/mediaSignalling'
import { z } from 'zod'

const text = z.string().max(256)
const list = <Item extends z.ZodType>(item: Item) => z.array(item).max(64)
const uint32 = z
  .int()
  .min(0)
  .max(2 ** 32 - 1)
const payloadType = z.int().min(0).max(127)
const extensionId = z.int().min(1).max(255)
const kind = z.enum(['audio', 'video'])

const codecParameters = z
  .record(text, z.union([text, z.number(), z.boolean()]))
  .refine((parameters) => Object.keys(parameters).length <= 32, 'too many codec parameters')

const codec = {
  mimeType: z.string().max(64),
  clockRate: z.int().min(1).max(1_000_000),
  channels: z.int().min(1).max(255).exactOptional(),
  parameters: codecParameters.exactOptional(),
  rtcpFeedback: list(z.object({ type: text, parameter: text.exactOptional() })).exactOptional(),
}

const known: ReadonlySet<unknown> = new Set(rtpHeaderExtensions)

/** A list of header extensions, without those that the contract does not know. */
const extensions = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.preprocess(
    (value) =>
      Array.isArray(value) && value.length <= 64
        ? value.filter((entry: { uri?: unknown } | null) => known.has(entry?.uri))
        : value,
    list(
      z.object({ uri: z.enum<readonly RtpHeaderExtensionUri[]>(rtpHeaderExtensions), ...shape }),
    ),
  )

export const rtpCapabilities: z.ZodType<RtpCapabilities> = z.object({
  codecs: list(z.object({ ...codec, kind, preferredPayloadType: payloadType })).exactOptional(),
  headerExtensions: extensions({
    kind,
    preferredId: extensionId,
    preferredEncrypt: z.boolean().exactOptional(),
    direction: z.enum(['sendrecv', 'sendonly', 'recvonly', 'inactive']).exactOptional(),
  }).exactOptional(),
})

export const rtpParameters: z.ZodType<RtpParameters> = z.object({
  mid: z.string().max(32).exactOptional(),
  codecs: list(z.object({ ...codec, payloadType })),
  headerExtensions: extensions({
    id: extensionId,
    encrypt: z.boolean().exactOptional(),
    parameters: codecParameters.exactOptional(),
  }).exactOptional(),
  encodings: z
    .array(
      z.object({
        ssrc: uint32.exactOptional(),
        rid: z.string().max(32).exactOptional(),
        codecPayloadType: payloadType.exactOptional(),
        rtx: z.object({ ssrc: uint32 }).exactOptional(),
        dtx: z.boolean().exactOptional(),
        scalabilityMode: z.string().max(32).exactOptional(),
        maxBitrate: uint32.exactOptional(),
      }),
    )
    .max(8)
    .exactOptional(),
  rtcp: z
    .object({ cname: text.exactOptional(), reducedSize: z.boolean().exactOptional() })
    .exactOptional(),
  msid: text.exactOptional(),
})

/** RFC 8122 §5: bytes in hexadecimal, separated by colons; 20 to 64 of them. */
const fingerprint = z.string().regex(/^[0-9A-F]{2}(:[0-9A-F]{2}){19,63}$/i)

export const dtlsParameters: z.ZodType<DtlsParameters> = z.object({
  role: z.enum(['auto', 'client', 'server']).exactOptional(),
  fingerprints: z
    .array(z.object({ algorithm: z.enum(fingerprintAlgorithms), value: fingerprint }))
    .min(1)
    .max(8),
})

/** mediasoup's own values in the contract's form: without undefined fields or unknown extensions. */
export function toContract<Value>(schema: z.ZodType<Value>, value: object): Value {
  return schema.parse(JSON.parse(JSON.stringify(value)))
}
