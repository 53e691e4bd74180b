/** @type {import('../campaign.mjs').Campaign} */
export const evolution = {
  name: 'evolution',
  shows:
    'groups of 2 to 64 members agree on everything or fail typed, whatever is proposed, lost, late or sent twice, and keep their secrets from who left and who is new',
  files: ['core/test/mls/groupEvolution.property.test.ts'],
  // Each of them a group with up to a dozen epochs.
  runs: 500,
  limitMinutes: 6.5,
  alone: false,
}
