import { ConclaveError } from '@conclave/core'

export type WebhookErrorCode =
  /** It is not https, and not loopback either. */
  | 'webhook-url-refused'
  /** It is not `whsec_` and the base64 of 24 to 64 bytes. */
  | 'webhook-secret-malformed'
  /** There was no answer, for the reason in the message. */
  | 'webhook-unreachable'
  /** The answer was not 2xx. */
  | 'webhook-refused'

export class WebhookError extends ConclaveError<WebhookErrorCode> {
  override readonly name = 'WebhookError'
}
