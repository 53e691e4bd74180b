/** @type {import('../campaign.mjs').Campaign} */
export const interop = {
  name: 'interop',
  shows:
    'members with this library and with ts-mls agree on every secret and on the tree in random histories of one group, in every cipher suite and whichever founded it',
  files: ['core/test/interop/scripts.property.test.ts'],
  // Histories of 50 steps, for each suite and each founder.
  runs: 10,
  limitMinutes: 6,
  alone: false,
}
