/** @type {import('../campaign.mjs').Campaign} */
export const encodings = {
  name: 'encodings',
  shows: 'any value of each struct of RFC 9420 is the same after encoding and decoding',
  files: ['core/test/wire/roundTrip.property.test.ts'],
  // Of each struct.
  runs: 10_000,
  limitMinutes: 1.5,
  alone: false,
}
