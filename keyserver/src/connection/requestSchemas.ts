import { MAX_NAME_LENGTH } from '@conclave/core/access'
import type { Bytes } from '@conclave/core/codec'
import {
  maxApplicationMessageBytes,
  maxKeyPackageBytes,
  maxMessageBytes,
  maxOfferBytes,
  maxProposalBytes,
  type RequestName,
  type RequestOf,
} from '@conclave/core/delivery'
import { z } from 'zod'
import { maxPacketBytes } from '../limits.ts'
import { type PackedRefusal, refuse } from '../ordering/orderingError.ts'

const tooLarge = 'too-large'

/** A copy, so that a small field does not keep a whole packet's memory alive. */
function bytes(maxLength: number): z.ZodType<Bytes> {
  return z
    .instanceof(Uint8Array)
    .refine((value) => value.byteLength <= maxLength, { params: { [tooLarge]: true } })
    .transform((value) => new Uint8Array(value))
}

/** Fields that hold one identifier, hash or signature. */
const shortBytes = bytes(256)
const mlsMessage = bytes(maxMessageBytes)
/** A list that is packed: as much as a packet holds. */
const packed = bytes(maxPacketBytes)
/** Signed words for each leaf of a person. */
const packedWords = bytes(1 << 16)
const sequenceNumber = z.int().min(0)
const leafIndex = z.int().min(0).max(0xffffffff)

/** A meeting id has at most 256 bytes of UTF-8, as `conclave_meeting` says. */
const meetingId = z
  .string()
  .min(1)
  .refine((id) => new TextEncoder().encode(id).length <= 256)

type Schemas = { readonly [N in RequestName]: z.ZodType<RequestOf<N>> }

/** The shape of every request; fields that this version does not know are left out. */
export const requestSchemas: Schemas = {
  enter: z.object({ protocol: z.int().min(0), minor: z.int().min(0).exactOptional(), meetingId }),
  create: z.object({ groupInfo: mlsMessage, ratchetTree: mlsMessage }),
  wait: z.object({ groupId: shortBytes, keyPackage: bytes(maxKeyPackageBytes) }),
  resume: z.object({ groupId: shortBytes, after: sequenceNumber }),
  attach: z.object({
    groupId: shortBytes,
    leafIndex,
    signature: shortBytes,
  }),
  propose: z.object({ groupId: shortBytes, message: bytes(maxProposalBytes) }),
  commit: z.object({
    groupId: shortBytes,
    after: sequenceNumber,
    message: mlsMessage,
    welcome: mlsMessage.nullable(),
    groupInfo: mlsMessage,
  }),
  tree: z.object({ groupId: shortBytes, treeHash: shortBytes }),
  groupInfo: z.object({ groupId: shortBytes }),
  report: z.object({
    groupId: shortBytes,
    seq: sequenceNumber,
    leafIndex,
    status: z.enum(['applied', 'failed']),
    signature: shortBytes,
  }),
  giveBack: z.object({
    groupId: shortBytes,
    after: sequenceNumber,
    entries: mlsMessage,
    groupInfo: mlsMessage,
  }),
  send: z.object({ groupId: shortBytes, message: bytes(maxApplicationMessageBytes) }),
  remove: z.object({
    groupId: shortBytes,
    identity: z.string().min(1).max(MAX_NAME_LENGTH),
    leafIndex,
    words: packedWords,
  }),
  offer: z.object({ groupId: shortBytes, keyPackage: bytes(maxOfferBytes) }),
  offers: z.object({ groupId: shortBytes }),
  continue: z.object({
    groupId: shortBytes,
    groupInfo: mlsMessage,
    ratchetTree: mlsMessage,
    welcome: mlsMessage.nullable(),
  }),
  publish: z.object({
    keyPackages: packed,
    lastResort: bytes(maxKeyPackageBytes).nullable(),
  }),
  stock: z.object({ deviceKey: shortBytes }),
  claim: z.object({ identity: z.string().min(1).max(MAX_NAME_LENGTH) }),
  mailbox: z.object({ deviceKey: shortBytes }),
  collect: z.object({ deviceKey: shortBytes, groupId: shortBytes, ref: shortBytes }),
}

export function isRequestName(name: string): name is RequestName {
  return Object.hasOwn(requestSchemas, name)
}

/** The request that a payload holds, or why it holds none. */
export function parseRequest<N extends RequestName>(
  name: N,
  payload: unknown,
): { readonly ok: true; readonly request: RequestOf<N> } | PackedRefusal {
  const schema: Schemas[N] = requestSchemas[name]
  const parsed = schema.safeParse(payload)
  if (parsed.success) return { ok: true, request: parsed.data }
  const { issues } = parsed.error
  const large = issues.find((issue) => issue.code === 'custom' && issue.params?.[tooLarge] === true)
  if (large !== undefined) {
    return refuse('payload-too-large', `"${large.path.join('.')}" of "${name}" is too large`)
  }
  const fields = issues.map(({ path }) => path.join('.')).join(', ')
  return refuse('request-malformed', `"${name}" is malformed${fields === '' ? '' : `: ${fields}`}`)
}
