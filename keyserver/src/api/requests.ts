import type { HonoRequest } from 'hono'
import { z } from 'zod'
import { ApiError } from './apiError.ts'

/** What a body may be at most, in bytes. */
export const maxBodyBytes = 16_384
/** Longest lifetime of a token that is issued here, in seconds. */
const maxTokenSeconds = 24 * 3600
/** MLS has at most 2^32 leaves (RFC 9420 §7.8); ours have 10 bits in a KID. */
const maxLeaf = 0xffff_ffff

const name = z.string().min(1).max(256)

export const listQuery = z.object({
  cursor: z.string().min(1).max(1024).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
})

export const logQuery = z.object({
  after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
})

export const removalBody = z.union(
  [
    z.strictObject({ leaf: z.number().int().min(0).max(maxLeaf) }),
    z.strictObject({ identity: name }),
  ],
  'either { "leaf": number } or { "identity": string }',
)

/** Tokens that are issued here never grant `manage`: a token for this API cannot renew itself. */
export const tokenBody = z.strictObject({
  identity: name,
  meeting: name,
  grants: z
    .strictObject({
      join: z.boolean().exactOptional(),
      publish: z.boolean().exactOptional(),
      subscribe: z.boolean().exactOptional(),
      invite: z.boolean().exactOptional(),
    })
    .exactOptional(),
  ttlSeconds: z.number().int().min(1).max(maxTokenSeconds).exactOptional(),
})

/** @throws ApiError `request-malformed`, which names the field */
export function parsed<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : ''
  throw new ApiError('request-malformed', `${where}${issue?.message ?? 'malformed'}`)
}

/** @throws ApiError `request-malformed` */
export async function parsedBody<S extends z.ZodType>(
  schema: S,
  request: Pick<HonoRequest, 'json'>,
): Promise<z.output<S>> {
  let body: unknown
  try {
    body = await request.json()
  } catch (cause) {
    throw new ApiError('request-malformed', 'the body is not JSON', { cause })
  }
  return parsed(schema, body)
}
