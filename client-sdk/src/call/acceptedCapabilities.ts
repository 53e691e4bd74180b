import type { RtpCapabilities } from '@conclave/core/mediaSignalling'
import { codecRuleFor } from '../media/index.ts'

/** RFC 6464: how loud a packet of audio is, in clear. */
const audioLevel = 'urn:ietf:params:rtp-hdrext:ssrc-audio-level'

/** RFC 7587 §6.1: all packets of one size, silence too. */
const constantBitrate = { cbr: 1, usedtx: 0 }

/**
 * What of the router's capabilities is negotiated. The SFU says what it routes, but what this client
 * sends and receives is not its choice: no codec whose frames could not be encrypted, and where
 * speech is concealed, nothing that tells it from silence.
 */
export function acceptedCapabilities(
  offered: RtpCapabilities,
  { concealSpeech }: { readonly concealSpeech: boolean },
): RtpCapabilities {
  const codecs = (offered.codecs ?? []).filter(
    ({ mimeType }) => codecRuleFor(mimeType) !== undefined || /\/rtx$/i.test(mimeType),
  )
  if (!concealSpeech) return { ...offered, codecs }
  return {
    ...offered,
    codecs: codecs.map((codec) =>
      codec.kind === 'audio'
        ? { ...codec, parameters: { ...codec.parameters, ...constantBitrate } }
        : codec,
    ),
    headerExtensions: (offered.headerExtensions ?? []).filter(({ uri }) => uri !== audioLevel),
  }
}
