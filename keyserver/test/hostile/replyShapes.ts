import type { RequestName } from '@conclave/core/delivery'
import { z } from 'zod'

/*
 * What may come back, field by field: one that is not declared here is a finding, for it may be
 * something that was not meant for the client.
 */

const bytes = z.instanceof(Uint8Array)
const count = z.int().min(0)
const ok = z.literal(true)
const group = z.strictObject({ groupId: bytes, epoch: count, head: count })
const appended = z.strictObject({ ok, seq: count, durable: z.boolean() })
const stock = { remaining: count, lastResort: z.boolean() }

const replies: { readonly [N in RequestName]: z.ZodType } = {
  enter: z.strictObject({
    ok,
    group: group.nullable(),
    minor: count,
    externalSender: bytes,
    nonce: bytes,
  }),
  create: appended,
  wait: z.strictObject({ ok, position: count }),
  resume: z.strictObject({
    ok,
    entries: bytes,
    head: count,
    waiting: bytes,
    present: z.array(count),
  }),
  attach: z.strictObject({ ok, head: count }),
  propose: appended,
  commit: appended,
  tree: z.strictObject({ ok, ratchetTree: bytes }),
  groupInfo: z.strictObject({ ok, groupInfo: bytes, seq: count }),
  report: z.strictObject({ ok, outcome: z.enum(['collecting', 'stands', 'voided']) }),
  giveBack: z.strictObject({ ok, head: count }),
  send: z.strictObject({ ok }),
  remove: z.strictObject({ ok, leaves: z.array(count) }),
  offer: z.strictObject({ ok, missing: z.array(count) }),
  offers: z.strictObject({ ok, keyPackages: bytes }),
  continue: z.strictObject({ ok, durable: z.boolean() }),
  publish: z.strictObject({ ok, ...stock }),
  stock: z.strictObject({ ok, ...stock }),
  claim: z.strictObject({ ok, keyPackages: bytes }),
  mailbox: z.strictObject({ ok, mail: bytes }),
  collect: z.strictObject({ ok }),
}

/** Every code but `internal`, and `unavailable`, which the store of a test never is. */
const refusal = z.strictObject({
  ok: z.literal(false),
  code: z.enum([
    'request-malformed',
    'payload-too-large',
    'rate-limited',
    'protocol-unsupported',
    'not-permitted',
    'not-entered',
    'already-entered',
    'meeting-exists',
    'group-unknown',
    'epoch-mismatch',
    'message-invalid',
    'key-package-invalid',
    'waiting-list-full',
    'seq-out-of-range',
    'tree-unknown',
    'presence-invalid',
    'status-invalid',
    'entries-inapplicable',
    'reinit-unknown',
    'reinit-unready',
    'group-continued',
    'directory-full',
  ]),
  message: z.string().max(2_000),
  detail: z.string().max(100).optional(),
  group: group.optional(),
  leaves: z.array(count).optional(),
  missed: bytes.optional(),
})

const notices: Readonly<Record<string, z.ZodType>> = {
  entry: z.strictObject({
    groupId: bytes,
    entry: z.strictObject({ seq: count, message: bytes }),
  }),
  waiting: z.strictObject({ groupId: bytes, joiners: bytes }),
  present: z.strictObject({ groupId: bytes, leaves: z.array(count) }),
  welcome: z.strictObject({ groupId: bytes, ref: bytes, welcome: bytes, seq: count }),
  statusWanted: z.strictObject({ groupId: bytes, seq: count }),
  message: z.strictObject({ groupId: bytes, message: bytes }),
  stockLow: z.strictObject({ deviceKey: bytes, ...stock }),
  mail: z.strictObject({ deviceKey: bytes }),
  offered: z.strictObject({ groupId: bytes, missing: z.array(count) }),
  continued: z.strictObject({ groupId: bytes, next: bytes }),
  closed: z.strictObject({ groupId: bytes, reason: z.enum(['empty', 'ended', 'shutdown']) }),
}

/** What is wrong with an acknowledgement, or undefined. */
export function faultOfReply(name: string, args: readonly unknown[]): string | undefined {
  const [reply] = args
  if (args.length !== 1) return `${args.length} arguments`
  if (refusal.safeParse(reply).success) return undefined
  const shape = Object.hasOwn(replies, name) ? replies[name as RequestName] : undefined
  return faultOf(shape ?? refusal, reply)
}

/** What is wrong with an event of the server's, or undefined. */
export function faultOfNotice(name: string, args: readonly unknown[]): string | undefined {
  const shape = Object.hasOwn(notices, name) ? notices[name] : undefined
  if (shape === undefined || args.length !== 1) return 'no such notice'
  return faultOf(shape, args[0])
}

function faultOf(shape: z.ZodType, value: unknown): string | undefined {
  const parsed = shape.safeParse(value)
  if (parsed.success) return undefined
  const code = (value as { readonly code?: unknown } | undefined)?.code
  const of = typeof code === 'string' ? `code ${code}: ` : ''
  return of + parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join()
}
