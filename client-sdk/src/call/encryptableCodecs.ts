import type { RtpCapabilities } from '@conclave/core/mediaSignalling'
import { codecRuleFor } from '../media/index.ts'

/**
 * The router's capabilities without codecs whose frames could not be encrypted. The SFU says what it
 * routes, but what this client sends and receives is not its choice.
 */
export function encryptableCodecs(offered: RtpCapabilities): RtpCapabilities {
  return {
    ...offered,
    codecs: (offered.codecs ?? []).filter(
      ({ mimeType }) => codecRuleFor(mimeType) !== undefined || /\/rtx$/i.test(mimeType),
    ),
  }
}
