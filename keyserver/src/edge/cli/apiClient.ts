import { ConclaveError } from '@conclave/core'
import { parseServerUrl } from '@conclave/core/access'
import { z } from 'zod'

/** What the API answered instead, under its own code, or `api-unreachable`. */
export class ApiClientError extends ConclaveError {
  override readonly name = 'ApiClientError'
}

const meetingIds = z.object({ meetingIds: z.array(z.string()), cursor: z.string().nullable() })
const meeting = z.object({
  meetingId: z.string(),
  groupId: z.string(),
  epoch: z.number(),
  head: z.number(),
  expiresAt: z.number(),
  waiting: z.number(),
  roster: z.array(
    z.object({
      leaf: z.number(),
      identity: z.string(),
      deviceKey: z.string(),
      connected: z.boolean(),
      beingRemoved: z.boolean(),
    }),
  ),
})
const log = z.object({
  lines: z.array(
    z.object({
      seq: z.number(),
      kind: z.string(),
      epoch: z.number(),
      at: z.number(),
      bytes: z.number(),
      sender: z.string(),
      contents: z.array(z.string()),
    }),
  ),
  head: z.number(),
})
const removal = z.object({ leaves: z.array(z.number()) })
const deadLetters = z.object({
  deadLetters: z.array(
    z.object({
      event: z.looseObject({ id: z.string(), type: z.string(), meetingId: z.string() }),
      attempts: z.number(),
      failedAt: z.number(),
      reason: z.string(),
    }),
  ),
})
const refusal = z.object({
  code: z.string(),
  message: z.string(),
  remedy: z.string().optional(),
})

export type MeetingAnswer = z.output<typeof meeting>
export type LogLineAnswer = z.output<typeof log>['lines'][number]
export type DeadLetterAnswer = z.output<typeof deadLetters>['deadLetters'][number]

const timeoutMs = 15_000

/** The API of a keyserver, as a command asks it. Every method throws ApiClientError. */
export class ApiClient {
  readonly #base: string
  readonly #token: string

  /** @throws AccessError `url-invalid` or `insecure-url` */
  constructor(url: string, token: string) {
    const { origin, socketPath } = parseServerUrl(url)
    this.#base = `${origin}${socketPath.replace(/\/socket\.io$/, '')}/v1`
    this.#token = token
  }

  async meetingIds(): Promise<readonly string[]> {
    const found: string[] = []
    let cursor: string | null = null
    do {
      const query = new URLSearchParams(
        cursor === null ? { limit: '1000' } : { limit: '1000', cursor },
      )
      const page: z.output<typeof meetingIds> = await this.#ask(
        'GET',
        `meetings?${query}`,
        meetingIds,
      )
      found.push(...page.meetingIds)
      cursor = page.cursor
    } while (cursor !== null)
    return found
  }

  meeting(id: string): Promise<MeetingAnswer> {
    return this.#ask('GET', `meetings/${encodeURIComponent(id)}`, meeting)
  }

  async log(id: string, after: number): Promise<readonly LogLineAnswer[]> {
    const found: LogLineAnswer[] = []
    let seq = after
    for (;;) {
      const path = `meetings/${encodeURIComponent(id)}/log?after=${seq}`
      const { lines, head } = await this.#ask('GET', path, log)
      found.push(...lines)
      const last = lines.at(-1)
      if (last === undefined || last.seq >= head) return found
      seq = last.seq
    }
  }

  async end(id: string): Promise<void> {
    await this.#ask('DELETE', `meetings/${encodeURIComponent(id)}`)
  }

  async remove(
    id: string,
    who: { readonly leaf: number } | { readonly identity: string },
  ): Promise<readonly number[]> {
    const path = `meetings/${encodeURIComponent(id)}/removals`
    return (await this.#ask('POST', path, removal, who)).leaves
  }

  async deadLetters(): Promise<readonly DeadLetterAnswer[]> {
    return (await this.#ask('GET', 'dead-letters', deadLetters)).deadLetters
  }

  async retry(id: string): Promise<void> {
    await this.#ask('POST', `dead-letters/${encodeURIComponent(id)}/retry`)
  }

  async #ask<S extends z.ZodType = z.ZodUnknown>(
    method: string,
    path: string,
    schema?: S,
    body?: object,
  ): Promise<z.output<S>> {
    const response = await this.#fetch(method, path, body)
    const text = await response.text()
    if (!response.ok) throw refused(response.status, text)
    if (schema === undefined) return undefined as z.output<S>
    const parsed = schema.safeParse(jsonOf(text))
    if (parsed.success) return parsed.data
    throw new ApiClientError('api-unknown', `${this.#base} does not answer as a keyserver`)
  }

  async #fetch(method: string, path: string, body: object | undefined): Promise<Response> {
    try {
      return await fetch(`${this.#base}/${path}`, {
        method,
        redirect: 'error',
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
    } catch (cause) {
      throw new ApiClientError('api-unreachable', `cannot reach ${this.#base}`, {
        cause,
        remedy: 'Name the keyserver with --url or CONCLAVE_API_URL.',
      })
    }
  }
}

function refused(status: number, text: string): ApiClientError {
  const parsed = refusal.safeParse(jsonOf(text))
  if (!parsed.success) return new ApiClientError('api-unknown', `the answer was status ${status}`)
  const { code, message, remedy } = parsed.data
  return new ApiClientError(code, message, remedy === undefined ? {} : { remedy })
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
