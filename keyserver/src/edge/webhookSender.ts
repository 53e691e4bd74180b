import type { Clock } from '@conclave/core'
import { isLoopbackHost } from '@conclave/core/access'
import { Webhook } from 'standardwebhooks'
import { JobError } from '../jobs/jobError.ts'
import type { WebhookEvent } from '../jobs/jobs.ts'
import { WebhookError } from '../webhooks/webhookError.ts'

/** As much of the global as is needed. */
export type Fetch = (url: URL, init: RequestInit) => Promise<Response>

const timeoutMs = 10_000

/**
 * Delivers an event to the app's backend: a POST of JSON, signed as Standard Webhooks has it, with
 * the same `webhook-id` in every attempt. Redirects are not followed and answers not read. What is
 * thrown names neither URL nor secret.
 *
 * @returns a function that throws WebhookError `webhook-unreachable`, `webhook-refused`, and after
 *   410 Gone JobError `job-abandoned`
 * @throws WebhookError `webhook-url-refused`, `webhook-secret-malformed`
 */
export function webhookSender(options: {
  /** https, or http on loopback. */
  readonly url: string
  /** `whsec_` and the base64 of 24 to 64 random bytes. */
  readonly secret: string
  readonly fetch: Fetch
  readonly clock: Clock
}): (event: WebhookEvent) => Promise<void> {
  const { fetch, clock } = options
  const url = urlOf(options.url)
  const signer = signerOf(options.secret)

  return async (event) => {
    const { id } = event
    const payload = JSON.stringify(event)
    const now = new Date(clock.now())
    const timeout = new AbortController()
    const cancel = clock.setTimer(timeoutMs, () => timeout.abort())
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'conclave-keyserver',
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
        'webhook-signature': signer.sign(id, now, payload),
      },
      body: payload,
      redirect: 'manual',
      signal: timeout.signal,
    })
      .catch((error: unknown) => {
        throw new WebhookError('webhook-unreachable', `no answer: ${reasonOf(error, timeout)}`)
      })
      .finally(cancel)
    await answer.body?.cancel().catch(() => {})
    const { status, ok } = answer
    if (ok) return
    if (status === 410) throw new JobError('job-abandoned', 'the receiver answered 410 Gone')
    throw new WebhookError('webhook-refused', `the receiver answered ${status}`)
  }
}

function urlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const safe =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname))
  // fetch refuses user information in a URL.
  if (url !== undefined && safe && url.username === '' && url.password === '') return url
  throw new WebhookError('webhook-url-refused', 'webhooks go to https URLs, or http on loopback', {
    remedy: 'give the webhook URL as https://host/path, without user name and password',
  })
}

const secretForm =
  /^whsec_((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4}))$/

function signerOf(secret: string): Webhook {
  const { length } = Buffer.from(secretForm.exec(secret)?.[1] ?? '', 'base64')
  if (length >= 24 && length <= 64) return new Webhook(secret)
  throw new WebhookError(
    'webhook-secret-malformed',
    'the webhook secret is not "whsec_" and the base64 of 24 to 64 bytes',
    { remedy: 'make one: echo "whsec_$(openssl rand -base64 32)"' },
  )
}

/** Of the cause its code alone: messages of fetch can have the URL in them. */
function reasonOf(error: unknown, timeout: AbortController): string {
  if (timeout.signal.aborted) return `timed out after ${timeoutMs} ms`
  const cause = error instanceof Error ? error.cause : undefined
  const code =
    typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : 'connection failed'
}
