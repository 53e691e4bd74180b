/** @type {import('../campaign.mjs').Campaign} */
export const decoders = {
  name: 'decoders',
  shows:
    'every decoder of what a peer or server sends gives for damaged encodings a CodecError or a value that encodes to the same bytes, in bounded time and memory',
  files: ['core/test/wire/mutations.property.test.ts'],
  // Of each decoder.
  runs: 1_000_000,
  limitMinutes: 9.5,
  alone: false,
}
