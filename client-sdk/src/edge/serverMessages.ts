import { type Bytes, CodecError, plainBytes } from '@conclave/core/codec'
import {
  maxApplicationMessageBytes,
  maxMessageBytes,
  maxPackedBytes,
  type RequestName,
  type ServerNotices,
  unpackEntries,
  unpackJoiners,
  unpackKeyPackages,
  unpackMail,
} from '@conclave/core/delivery'
import * as z from 'zod/mini'

/*
 * The shapes of what a keyserver says. It is not trusted, so everything is checked and bounded
 * before the session sees it. Bytes arrive as ArrayBuffer in browsers and as Buffer in Node.
 */

/** A ratchet tree of a full meeting is the largest thing that a keyserver sends. */
const maxTreeBytes = 16 * maxMessageBytes
const maxListed = 4096

function bytes(maxLength: number) {
  return z.pipe(
    z.custom<ArrayBuffer | Uint8Array>(
      (value) =>
        (value instanceof ArrayBuffer || value instanceof Uint8Array) &&
        value.byteLength <= maxLength,
    ),
    z.transform(
      (value): Bytes => (value instanceof ArrayBuffer ? new Uint8Array(value) : plainBytes(value)),
    ),
  )
}

/** A list that travels as one byte string. */
function packed<T>(unpack: (bytes: Bytes) => T) {
  return z.pipe(
    bytes(maxPackedBytes),
    z.transform((value, context): T => {
      try {
        return unpack(value)
      } catch (error) {
        if (!(error instanceof CodecError)) throw error
        context.issues.push({ code: 'custom', input: value, message: error.message })
        return z.NEVER
      }
    }),
  )
}

const seq = z.number().check(z.int(), z.minimum(0))
const id = bytes(256)
const message = bytes(maxMessageBytes)
const logEntry = z.object({ seq, message })
const entries = packed(unpackEntries)
const joiners = packed(unpackJoiners)
const mail = packed(unpackMail)
const keyPackages = packed(unpackKeyPackages)
const leaves = z.array(seq).check(z.maxLength(maxListed))
const group = z.object({ groupId: id, epoch: seq, head: seq })
const text = z.string().check(z.maxLength(1024))

/** Codes are open: a newer keyserver may have more than we know. */
const refusal = z.object({
  ok: z.literal(false),
  code: text,
  message: text,
  detail: z.optional(text),
  group: z.optional(group),
  leaves: z.optional(leaves),
  missed: z.optional(entries),
})

/** An answer that grants the request, or one that refuses it. */
function replyWith<T extends z.core.$ZodShape>(fields: T) {
  return z.union([z.object({ ok: z.literal(true), ...fields }), refusal])
}

const appended = replyWith({ seq, durable: z.boolean() })
const stock = { remaining: seq, lastResort: z.boolean() }
const outcome = z.enum(['collecting', 'stands', 'voided'])

export const replySchemas = {
  enter: replyWith({
    group: z.nullable(group),
    minor: z.optional(seq),
    externalSender: id,
    nonce: id,
  }),
  create: appended,
  wait: replyWith({ position: seq }),
  resume: replyWith({ entries, head: seq, waiting: joiners, present: leaves }),
  attach: replyWith({ head: z.optional(seq) }),
  propose: appended,
  commit: appended,
  tree: replyWith({ ratchetTree: bytes(maxTreeBytes) }),
  groupInfo: replyWith({ groupInfo: message, seq }),
  report: replyWith({ outcome }),
  giveBack: replyWith({ head: seq }),
  send: replyWith({}),
  remove: replyWith({ leaves }),
  offer: replyWith({ missing: leaves }),
  offers: replyWith({ keyPackages }),
  continue: replyWith({ durable: z.boolean() }),
  publish: replyWith(stock),
  stock: replyWith(stock),
  claim: replyWith({ keyPackages }),
  mailbox: replyWith({ mail }),
  collect: replyWith({}),
} satisfies Record<RequestName, z.core.$ZodType>

export const noticeSchemas = {
  entry: z.object({ groupId: id, entry: logEntry }),
  waiting: z.object({ groupId: id, joiners }),
  present: z.object({ groupId: id, leaves }),
  welcome: z.object({ groupId: id, ref: id, welcome: message, seq }),
  statusWanted: z.object({ groupId: id, seq }),
  message: z.object({ groupId: id, message: bytes(maxApplicationMessageBytes) }),
  stockLow: z.object({ deviceKey: id, ...stock }),
  mail: z.object({ deviceKey: id }),
  offered: z.object({ groupId: id, missing: leaves }),
  continued: z.object({ groupId: id, next: id }),
  closed: z.object({ groupId: id, reason: z.enum(['empty', 'ended', 'shutdown']) }),
} satisfies Record<keyof ServerNotices, z.core.$ZodType>

/** The value if it has the schema's shape, else undefined. */
export function checked(schema: z.core.$ZodType, value: unknown): unknown {
  const result = z.safeParse(schema, value)
  return result.success ? result.data : undefined
}
