import { expect, test } from 'vitest'
import { acceptedCapabilities } from '../../src/call/acceptedCapabilities.ts'

const opus = {
  kind: 'audio',
  mimeType: 'audio/opus',
  clockRate: 48_000,
  channels: 2,
  preferredPayloadType: 100,
  parameters: { usedtx: 1 },
} as const
const vp8 = {
  kind: 'video',
  mimeType: 'video/VP8',
  clockRate: 90_000,
  preferredPayloadType: 101,
} as const
const red = { ...opus, mimeType: 'audio/red', preferredPayloadType: 102 }
const level = {
  kind: 'audio',
  uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level',
  preferredId: 1,
} as const
const mid = { kind: 'audio', uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', preferredId: 2 } as const
const offered = { codecs: [opus, red, vp8], headerExtensions: [level, mid] }

test('a codec without a frame rule is not negotiated, and all else as it is offered', () => {
  expect(acceptedCapabilities(offered, { concealSpeech: false })).toEqual({
    codecs: [opus, vp8],
    headerExtensions: [level, mid],
  })
  expect(acceptedCapabilities({}, { concealSpeech: true })).toEqual({
    codecs: [],
    headerExtensions: [],
  })
})

test('speech is concealed by packets of one size without a level, whatever the SFU offers', () => {
  expect(acceptedCapabilities(offered, { concealSpeech: true })).toEqual({
    codecs: [{ ...opus, parameters: { cbr: 1, usedtx: 0 } }, vp8],
    headerExtensions: [mid],
  })
})
