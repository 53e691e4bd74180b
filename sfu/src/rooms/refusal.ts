import { ConclaveError } from '@conclave/core'
import type { MediaRefusalCode } from '@conclave/core/mediaSignalling'

/** Ends the handling of a request; the client is told its code and message. */
export class Refusal extends ConclaveError<MediaRefusalCode> {
  override readonly name = 'Refusal'
}
